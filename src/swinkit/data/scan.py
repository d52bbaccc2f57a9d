"""Read each image of a data set once, for `data.check`."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.spec import Size
from .dataset import ImageDataset
from .images import ImageError
from .near_duplicates import difference_hash
from .prefetch import Prefetcher

CHUNK = 32  # images that a worker reads at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """One image: the reason why it cannot be read, or its size (h, w), mode and hashes.

    `mode` is Pillow's, as stored, with the bits of a channel if they are not 8; `turned` says whether EXIF
    data turn it; `digest` is a sha256 of its pixels, `dhash` the hash of `data.near_duplicates`, None of
    floats and clips; `constant` says that all its values are equal.
    """

    split: str
    id: str
    label: str
    error: str | None
    size: Size = ()
    mode: str = ""
    turned: bool = False
    digest: str = ""
    dhash: int | None = None
    constant: bool = False


def scan(samples: ImageDataset, workers: int = 0) -> Iterator[Reading]:
    """Yield a reading of each image of a split, in order."""
    ranges = range(0, len(samples), CHUNK)
    read_chunks = Prefetcher(ReadChunk(samples), workers)
    for chunk in read_chunks([range(at, min(at + CHUNK, len(samples))) for at in ranges]):
        yield from chunk


@dataclass(frozen=True)
class ReadChunk:
    """Reads a few images in a worker."""

    samples: ImageDataset

    def __call__(self, indices: Sequence[int]) -> list[Reading]:
        """Return one reading for each."""
        return [read(self.samples, index) for index in indices]


def read(samples: ImageDataset, index: int) -> Reading:
    """Read one image."""
    name = samples.ids[index]
    label = "" if samples.labels is None else samples.classes[int(samples.labels[index])]
    try:
        found = samples.examine(index)
    except ImageError as error:
        return Reading(samples.split, name, label, error.reason)
    pixels = found.pixels
    shape = tuple(pixels.shape[1:])
    digest = hashlib.sha256(repr(shape).encode() + pixels.numpy().tobytes()).hexdigest()
    comparable = pixels.ndim == 3 and not pixels.is_floating_point()
    return Reading(
        samples.split,
        name,
        label,
        error=None,
        size=shape[-2:],
        mode=found.mode,
        turned=found.turned,
        digest=digest,
        dhash=difference_hash(pixels) if comparable else None,
        constant=bool(pixels.min() == pixels.max()),
    )
