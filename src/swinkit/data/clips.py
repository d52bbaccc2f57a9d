"""Data sets of clips: folders of frames, ordered by number, in a directory or a zip.

Shapes: N clips, t frames, h, w pixels.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from torch import Tensor

from ..errors import DataError
from .channels import Channels
from .dataset import Content, ImageDataset, read_channels
from .fitting import stack_images
from .folders import content_of
from .ids import Texts
from .images import ImageError

NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Folders(Content):
    """Folders of frames; `ends` (N) are the ends of each clip in the sequence of all `frames`."""

    frames: Content
    ends: tuple[int, ...]

    def range_of(self, index: int) -> range:
        """Return the numbers of the frames of a clip."""
        return range(self.ends[index - 1] if index else 0, self.ends[index])

    def read(self, index: int) -> Path | bytes:
        """Return the first frame of a clip."""
        return self.frames.read(self.range_of(index)[0])

    def stamp(self, index: int) -> str:
        """Return the stamps of all its frames."""
        return " ".join(self.frames.stamp(i) for i in self.range_of(index))

    def written(self, index: int) -> int:
        """Return when the youngest frame was written, in nanoseconds."""
        return max(map(self.frames.written, self.range_of(index)))

    def place(self, index: int) -> str:
        """Return the name of the folder."""
        return self.frames.place(self.range_of(index)[0]).rpartition("/")[0]


@dataclass(frozen=True)
class ClipDataset(ImageDataset):
    """Clips, each a folder of frames of one size."""

    content: Folders

    def read_image(self, index: int) -> Tensor:
        """Read one clip: (3, t, h, w) uint8, or with the channels that are stored.

        Raises:
            ImageError: a frame cannot be read, or is of another size than the first.
        """
        frames, found = self.content.frames, list[Tensor]()
        for i in self.content.range_of(index):
            frame = read_channels(frames, i, self.stored)
            if found and frame.shape != found[0].shape:
                size, first = (f"{x.shape[-1]} x {x.shape[-2]}" for x in (frame, found[0]))
                raise ImageError(frames.place(i), f"is {size} pixels, and the first of its clip {first}")
            found.append(frame)
        return stack_images(found, 1)


def clips_of(root: Path, split: str, pictures: Sequence[str], stored: Channels | None) -> ClipDataset:
    """Return a data set in which every folder with images is a clip, in RGB or of the `stored` channels.

    Raises:
        DataError: a picture lies in none.
    """
    ordered = sorted(pictures, key=in_order)
    counts = Counter(name.rpartition("/")[0] for name in ordered)
    if "" in counts:
        raise DataError(f"{root}: {ordered[0]} lies in no folder of its own; a clip is a folder of frames")
    content = Folders(Texts(counts), content_of(root, ordered), tuple(accumulate(counts.values())))
    return ClipDataset(root, split, content, stored=stored)


def in_order(name: str) -> tuple[str, list[tuple[int, str]]]:
    """Return the key that sorts by folder, then by the numbers in the file's name: frame 10 after frame 9."""
    folder, _, file = name.rpartition("/")
    parts = NUMBER.split(file)
    return folder, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
