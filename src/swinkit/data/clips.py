"""Clips that are folders of frames, in the order of their numbers; a directory or a zip of it, read in place.

Shapes: N clips, t frames, h, w pixels.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError
from .dataset import Content, ImageDataset
from .folders import content_of
from .ids import Texts
from .images import ImageError, load_image

NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Folders(Content):
    """Folders of frames; `ends` (N) tell where those of each end among all `frames`."""

    frames: Content
    ends: tuple[int, ...]

    def of(self, index: int) -> range:
        """The frames of a clip."""
        return range(self.ends[index - 1] if index else 0, self.ends[index])

    def read(self, index: int) -> Path | bytes:
        """Its first frame."""
        return self.frames.read(self.of(index)[0])

    def stamp(self, index: int) -> str:
        """Of all its frames."""
        return " ".join(self.frames.stamp(i) for i in self.of(index))

    def written(self, index: int) -> int:
        """Of the youngest frame."""
        return max(map(self.frames.written, self.of(index)))

    def place(self, index: int) -> str:
        """The folder."""
        return self.frames.place(self.of(index)[0]).rpartition("/")[0]


@dataclass(frozen=True)
class ClipDataset(ImageDataset):
    """Clips, each a folder of frames of one size."""

    content: Folders

    def read_image(self, index: int) -> Tensor:
        """(3, t, h, w) uint8.

        Raises:
            ImageError: a frame cannot be read, or is of another size than the first.
        """
        frames, found = self.content.frames, list[Tensor]()
        for i in self.content.of(index):
            frame = load_image(frames.read(i), name=frames.place(i))
            if found and frame.shape != found[0].shape:
                size, first = (f"{x.shape[-1]} x {x.shape[-2]}" for x in (frame, found[0]))
                raise ImageError(frames.place(i), f"is {size} pixels, and the first of its clip {first}")
            found.append(frame)
        return torch.stack(found, 1)


def clips_of(root: Path, split: str, pictures: Sequence[str]) -> ClipDataset:
    """Every folder that has pictures in it is a clip.

    Raises:
        DataError: a picture lies in none.
    """
    ordered = sorted(pictures, key=in_order)
    counts = Counter(name.rpartition("/")[0] for name in ordered)
    if "" in counts:
        raise DataError(f"{root}: {ordered[0]} lies in no folder of its own; a clip is a folder of frames")
    content = Folders(Texts(counts), content_of(root, ordered), tuple(accumulate(counts.values())))
    return ClipDataset(root, split, content)


def in_order(name: str) -> tuple[str, list[tuple[int, str]]]:
    """By folder, then by the numbers in the file's name, so that frame 10 comes after frame 9."""
    folder, _, file = name.rpartition("/")
    parts = NUMBER.split(file)
    return folder, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
