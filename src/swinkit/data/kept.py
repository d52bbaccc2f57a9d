"""Small pictures are decoded once: those of a whole data set that fits into some memory are kept in it."""

from collections.abc import Sequence

from torch import Tensor

from .samples import Readable

KEPT_BYTES = 2**28  # of decoded pictures, in each process that reads


class Kept:
    """The same samples; a picture stays in memory if all of them would fit were they as large as it."""

    def __init__(self, samples: Readable, most: int = KEPT_BYTES):
        self.samples, self.most = samples, most
        self.pictures: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.samples)

    @property
    def ids(self) -> Sequence[str]:
        """Their names."""
        return self.samples.ids

    @property
    def labels(self) -> Tensor | None:
        """(N,) their classes."""
        return self.samples.labels

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes."""
        return self.samples.classes

    def load(self, index: int) -> Tensor:
        """(3, h, w) uint8; not to be changed in place.

        Raises:
            ImageError: the picture cannot be read.
        """
        image = self.pictures.get(index)
        if image is None:
            image = self.samples.load(index)
            if image.nbytes * len(self) <= self.most:
                self.pictures[index] = image
        return image
