"""Small pictures are decoded once: those of a whole data set that fits into some memory are kept in it."""

from torch import Tensor

from .samples import Readable, Reader

KEPT_BYTES = 2**28  # of decoded pictures, in all processes that read for one training
TRAINING_BYTES, HELD_OUT_BYTES = 3 * KEPT_BYTES // 4, KEPT_BYTES // 4


class Kept(Reader):
    """The same samples; a picture stays in memory if all of them would fit were they as large as it.

    They fit into `most` bytes, of which each of the processes that are `readers` of them has its part.
    """

    def __init__(self, samples: Readable, most: int, readers: int = 1):
        super().__init__(samples)
        self.most, self.room = most, most // max(1, readers)
        self.pictures: dict[int, Tensor] = {}

    def load(self, index: int) -> Tensor:
        """(C, *P); not to be changed in place.

        Raises:
            ImageError: the picture cannot be read.
        """
        image = self.pictures.get(index)
        if image is None:
            image = self.samples.load(index)
            if image.nbytes * len(self) <= self.most and image.nbytes <= self.room:
                self.pictures[index] = image
                self.room -= image.nbytes
        return image
