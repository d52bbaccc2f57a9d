"""The pictures of a data set, in a stable order: what they are called, what they show, how to read one.

Shapes: N samples, C channels, *P size in pixels: h, w, of clips and volumes frames before them.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..errors import DataError, listed
from .ids import Ids
from .images import load_image

UNLABELLED = -1  # in the place of a class
TRAIN = "train"  # the split that is learned from
HELD_OUT = ("val", "valid", "validation", "test")  # what training watches: the first there is
ALL = "all"  # what is taken where there are no splits


@dataclass(frozen=True)
class Content(ABC):
    """Where the bytes of pictures lie: a folder, a zip, a tar. Must survive pickling between processes."""

    ids: Ids

    @abstractmethod
    def read(self, index: int) -> Path | bytes:
        """A picture's file, or its bytes.

        Raises:
            ImageError: it cannot be had.
        """

    @abstractmethod
    def stamp(self, index: int) -> str:
        """What differs if the picture is another: its size or checksum; without reading all of it."""

    @abstractmethod
    def written(self, index: int) -> int:
        """When the file that holds it was, in nanoseconds; 0 if its stamp tells all that could change."""

    @abstractmethod
    def place(self, index: int) -> str:
        """How messages call the picture."""


class Readable(Protocol):
    """What those who read samples need of them."""

    def __len__(self) -> int:
        """N."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """Their names."""
        ...

    @property
    def labels(self) -> Tensor | None:
        """(N,) their classes."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes."""
        ...

    def load(self, index: int) -> Tensor:
        """(C, *P): uint8, or float32 of which 1 is brightest."""
        ...


class Reader(ABC):
    """The samples of another, loaded in a way of its own."""

    def __init__(self, samples: Readable):
        self.samples = samples

    def __len__(self) -> int:
        """N."""
        return len(self.samples)

    @property
    def ids(self) -> Sequence[str]:
        """Their names, those of bad pictures included."""
        return self.samples.ids

    @property
    def labels(self) -> Tensor | None:
        """(N,) their classes, which hold for replacements, too."""
        return self.samples.labels

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes."""
        return self.samples.classes

    @abstractmethod
    def load(self, index: int) -> Tensor:
        """(C, *P): uint8, or float32 of which 1 is brightest."""


@dataclass(frozen=True)
class Samples:
    """Pictures, and what they show; `labels` (N,) int64 are indices into `classes`, None for plain pictures.

    `root` and `split` say where they were found.
    """

    root: Path
    split: str
    labels: Tensor | None
    classes: tuple[str, ...]
    content: Content

    @property
    def ids(self) -> Ids:
        """Their names, which are unique and stay the same wherever the data set is moved to."""
        return self.content.ids

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.ids)

    def load(self, index: int) -> Tensor:
        """(3, h, w) uint8 of one picture.

        Raises:
            ImageError: the picture cannot be read.
        """
        return load_image(self.content.read(index), name=self.content.place(index))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the names, labels, classes and stamps: another if a picture came, went or changed."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for i, name in enumerate(self.ids):
            label = UNLABELLED if self.labels is None else int(self.labels[i])
            digest.update(repr((name, label, self.content.stamp(i))).encode())
        return digest.hexdigest()

    @cached_property
    def written(self) -> int:
        """When the youngest of their files was, in nanoseconds; 0 if the fingerprint needs no such help.

        Most stamps do not tell a picture from another of as many bytes, as uncompressed ones are.
        """
        return max(map(self.content.written, range(len(self))), default=0)

    def counts(self) -> Tensor:
        """(K,) how many pictures each class has; empty for plain pictures."""
        found = torch.zeros(0, dtype=torch.int64) if self.labels is None else self.labels
        return torch.bincount(found, minlength=len(self.classes))


def require_every_class(samples: Samples) -> None:
    """Training and validation need pictures of each class.

    Raises:
        DataError: a class has none.
    """
    empty = [
        name for name, count in zip(samples.classes, samples.counts().tolist(), strict=True) if not count
    ]
    if empty:
        raise DataError(
            f"{samples.root}: {samples.split} has no pictures of {listed(empty)}; add some, or take "
            "the class out of every split"
        )
