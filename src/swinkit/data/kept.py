"""Small pictures are decoded once: those of a whole data set that fits into some memory are kept in it."""

from torch import Tensor

from .samples import Readable, Reader

KEPT_BYTES = 2**28  # of decoded pictures, in each process that reads


class Kept(Reader):
    """The same samples; a picture stays in memory if all of them would fit were they as large as it."""

    def __init__(self, samples: Readable, most: int = KEPT_BYTES):
        super().__init__(samples)
        self.most = most
        self.pictures: dict[int, Tensor] = {}

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
