"""What one reading of each picture of a data set tells of it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.spec import Size
from .dataset import ImageDataset
from .images import ImageError, examined
from .near_duplicates import look_of
from .prefetch import Ahead

TOGETHER = 32  # pictures that a worker reads at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one picture: why it cannot be read, or else size (h, w), form, and what it is known by.

    `mode` is Pillow's, as stored, with the bits of a channel if they are not 8; `turned` tells whether the
    camera says to turn it; `digest` is a sha256 of its pixels, `look` what `data.alike` knows it by.
    """

    split: str
    id: str
    label: str
    error: str | None
    size: Size = ()
    mode: str = ""
    turned: bool = False
    digest: str = ""
    look: int | None = None


def readings(samples: ImageDataset, workers: int = 0) -> Iterator[Reading]:
    """Each picture of a split, in order."""
    ranges = range(0, len(samples), TOGETHER)
    several = Ahead(Several(samples), workers)
    for together in several([range(at, min(at + TOGETHER, len(samples))) for at in ranges]):
        yield from together


@dataclass(frozen=True)
class Several:
    """How a worker reads a few pictures."""

    samples: ImageDataset

    def __call__(self, indices: Sequence[int]) -> list[Reading]:
        """One reading each."""
        return [read(self.samples, index) for index in indices]


def read(samples: ImageDataset, index: int) -> Reading:
    """Decode one picture."""
    name = samples.ids[index]
    label = "" if samples.labels is None else samples.classes[int(samples.labels[index])]
    try:
        found = examined(samples.content.read(index), samples.content.place(index))
    except ImageError as error:
        return Reading(samples.split, name, label, error.reason)
    size = tuple(found.pixels.shape[1:])
    digest = hashlib.sha256(repr(size).encode() + found.pixels.numpy().tobytes()).hexdigest()
    look = look_of(found.pixels)
    return Reading(samples.split, name, label, None, size, found.mode, found.turned, digest, look)
