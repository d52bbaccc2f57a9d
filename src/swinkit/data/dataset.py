"""Data sets of images: their samples in a fixed order, with names and targets.

Shapes: N samples, C channels, *P size in pixels: h, w, of clips and volumes frames before them.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, listed
from .channels import Channels
from .ids import Ids
from .images import StoredImage, examine, load_image
from .sample import LABEL, Sample

UNLABELLED = -1  # stands for no class
TRAIN = "train"  # the split to train on
HELD_OUT = ("val", "valid", "validation", "test")  # splits to validate on: the first that exists
ALL = "all"  # name of the split where there are none


@dataclass(frozen=True)
class Content(ABC):
    """Storage of the bytes of images: a folder, a zip or tars. Must survive pickling between processes."""

    ids: Ids

    @abstractmethod
    def read(self, index: int) -> Path | bytes:
        """Return the file of an image, or its bytes.

        Raises:
            ImageError: it cannot be read.
        """

    @abstractmethod
    def stamp(self, index: int) -> str:
        """Return the size or checksum of an image, which changes with it, without reading all of it."""

    @abstractmethod
    def written(self, index: int) -> int:
        """Return when its file was written, in nanoseconds; 0 if its stamp covers every change."""

    @abstractmethod
    def place(self, index: int) -> str:
        """Return the name of an image in messages."""


def read_channels(content: Content, index: int, channels: Channels | None) -> Tensor:
    """Read an image: RGB (3, h, w) uint8, or the `channels` that are stored, (C, h, w) uint8 or float32.

    Raises:
        ImageError: it cannot be read, or has other channels or values that are not usable.
    """
    source, name = content.read(index), content.place(index)
    if channels is None:
        return load_image(source, name=name)
    pixels = load_image(source, name=name, channels=channels.count)
    channels.require_usable(pixels, name)
    return pixels


@dataclass(frozen=True)
class Dataset(ABC):
    """Samples of one split below `root`, read from `content`; implements `sample.Samples`.

    A subclass says what the target of a sample is, and which data it follows from. Images become RGB, unless
    `stored` asks for the channels that a file stores.
    """

    root: Path
    split: str
    content: Content
    classes: tuple[str, ...] = ()
    stored: Channels | None = field(default=None, kw_only=True)

    @property
    def ids(self) -> Ids:
        """Names of all samples, unique and the same wherever the data set lies."""
        return self.content.ids

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            ImageError: its image cannot be read.
        """
        return Sample(self.ids[index], self.read_image(index), self.target(index))

    def read_image(self, index: int) -> Tensor:
        """Read one image: (3, h, w) uint8, or with the channels that are stored, uint8 or float32 (C, h, w).

        Raises:
            ImageError: it cannot be read, or has other channels or values that are not usable.
        """
        return read_channels(self.content, index, self.stored)

    def examine(self, index: int) -> StoredImage:
        """Read one image as `read_image` does, and how it is stored.

        Raises:
            ImageError: as `read_image`.
        """
        if self.stored is None:
            return examine(self.content.read(index), self.content.place(index))
        pixels = self.read_image(index)
        mode = f"{'float32' if pixels.is_floating_point() else 'uint8'} x {self.stored.count}"
        return StoredImage(pixels, mode, turned=False)

    @abstractmethod
    def target(self, index: int) -> Mapping[str, Any]:
        """Return the target of one sample."""

    @abstractmethod
    def annotation(self, index: int) -> object:
        """Return the source of the target of one sample; its `repr` differs where the target does."""

    def replacements(self, index: int) -> Sequence[int]:  # noqa: ARG002
        """Return the samples that may replace this one in training if it cannot be read."""
        return range(len(self))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 that changes when a sample or its annotation is added, removed or changed."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for i, name in enumerate(self.ids):
            digest.update(repr((name, self.annotation(i), self.content.stamp(i))).encode())
        return digest.hexdigest()

    @cached_property
    def written(self) -> int:
        """Last modification of the files in nanoseconds; 0 if the fingerprint covers every change.

        Most stamps are sizes, which do not tell two uncompressed images of one size apart.
        """
        return max(map(self.content.written, range(len(self))), default=0)


@dataclass(frozen=True)
class ImageDataset(Dataset):
    """Images with one label each: `labels` (N,) int64 are indices into `classes`; None without labels."""

    labels: Tensor | None = None

    def target(self, index: int) -> Mapping[str, Any]:
        """Return {"label": int}, or {} without labels."""
        return {} if self.labels is None else {LABEL: int(self.labels[index])}

    def annotation(self, index: int) -> int:
        """Return the label, or -1 without labels."""
        return UNLABELLED if self.labels is None else int(self.labels[index])

    def replacements(self, index: int) -> Sequence[int]:
        """Return the samples of the same class; without labels, all samples."""
        if self.labels is None:
            return super().replacements(index)
        return (self.labels == self.labels[index]).nonzero()[:, 0].tolist()

    def counts(self) -> Tensor:
        """Return the number of images of each class: (K,); empty without labels."""
        labels = torch.zeros(0, dtype=torch.int64) if self.labels is None else self.labels
        return torch.bincount(labels, minlength=len(self.classes))


def require_every_class(samples: ImageDataset) -> None:
    """Check that every class has images.

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
