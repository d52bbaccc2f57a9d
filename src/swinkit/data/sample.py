"""Item of a data set, and the interface of a data set to loaders."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from .rng import draws

LABEL, BOXES = "label", "boxes"  # of a target: class of a whole image; boxes of objects
IGNORED = 255  # class in a mask (h, w) of pixels that have none, as outside of the image
OBJECTS = (BOXES, "labels", "masks", "areas", "crowd")  # of a target: tensors with an entry for each object


@dataclass(frozen=True, slots=True)
class Sample:
    """An image, clip or volume with what a model should say of it.

    `image` is (C, *P), uint8, or float32 with 1 the brightest; a clip or a volume has a further axis before
    h and w. `target` depends on the task: {"label": int} of a whole image; {"boxes":
    tv_tensors.BoundingBoxes, "labels": Tensor, "masks": tv_tensors.Mask} of objects; {"mask":
    tv_tensors.Mask} of pixels; {} without annotation. Its tv_tensors are in pixels of `image`.
    """

    id: str
    image: Tensor
    target: Mapping[str, Any]
    repeat: int = 0  # how often the epoch had it before

    def draws(self, seed: int, epoch: int, purpose: str) -> random.Random:
        """Return random numbers that follow from (seed, epoch, id) alone, other ones for each repeat."""
        return draws(seed, epoch, self.id, purpose, *([self.repeat] if self.repeat else []))


class Samples(Protocol):
    """Samples in a fixed order, each read when it is asked for."""

    @property
    def root(self) -> Path:
        """File or folder they are found in, as messages name it."""
        ...

    @property
    def split(self) -> str:
        """Name of the split, such as "train"."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """Names of all samples, unique and the same wherever the data set lies."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes; empty without classes."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            ImageError: the sample cannot be read.
        """
        ...

    def replacements(self, index: int) -> Sequence[int]:
        """Return the samples that may replace this one in training if it cannot be read."""
        ...
