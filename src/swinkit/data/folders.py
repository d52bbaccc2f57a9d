"""Labelled pictures in folders, one folder a class; a directory or a zip of it, read in place."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from ..errors import DataError
from .images import SUFFIXES, ImageError, load_image


@dataclass(frozen=True)
class LabelledImages:
    """`ROOT/SPLIT/CLASS/picture`: names in a stable order, their labels, and how to read one."""

    root: Path
    split: str  # the folder that was read
    names: tuple[str, ...]  # relative to root, with forward slashes
    labels: Tensor  # (samples,)
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.names)

    def load(self, index: int) -> Tensor:
        """(3, h, w) uint8 of one picture.

        Raises:
            ImageError: the picture cannot be read.
        """
        name = self.names[index]
        if self.root.is_dir():
            return load_image(self.root / name)
        try:
            content = open_archive(self.root).read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # encrypted, too
            raise ImageError(f"{self.root}:{name}", f"cannot be read from the zip: {error}") from None
        return load_image(content, name=f"{self.root}:{name}")


@lru_cache(maxsize=4)
def open_archive(path: Path) -> zipfile.ZipFile:
    """Opened once, since reading a large table of contents takes seconds."""
    return zipfile.ZipFile(path)


def find_labelled(root: Path, *splits: str, classes: Sequence[str] | None = None) -> LabelledImages:
    """The pictures of the first of `splits`, folders such as "val" or "test", that a folder or zip has.

    Classes are sorted by name unless given. Folders around the splits are looked through; hidden files, and
    those that macOS adds to zips, are passed over.

    Raises:
        DataError: there is no such split with pictures, or it has classes that are not in `classes`.
    """
    pictures = [path for path in sorted(list_files(root)) if is_picture(path)]
    for split in splits:
        depths = [path.parts.index(split) for path in pictures if split in path.parts[:-2]]
        if depths:
            break
    else:
        raise DataError(
            f"{root}: no pictures in {' or '.join(splits)}/CLASS/ (expected SPLIT/CLASS/picture.jpg)"
        )
    at = min(depths)  # a class may be called as a split
    inside = [path for path in pictures if len(path.parts) > at + 2 and path.parts[at] == split]
    found = sorted({path.parts[at + 1] for path in inside})
    if classes is not None and set(found) - set(classes):
        strange = ", ".join(sorted(set(found) - set(classes)))
        raise DataError(f"{root}: the classes {strange} of {split} are unknown (known: {', '.join(classes)})")
    known = tuple(classes or found)
    labels = torch.tensor([known.index(path.parts[at + 1]) for path in inside])
    return LabelledImages(root, split, tuple(map(str, inside)), labels, known)


def is_picture(path: PurePosixPath) -> bool:
    """Whether a file is called like one, and neither hidden nor added by macOS."""
    strange = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not strange


def list_files(root: Path) -> list[PurePosixPath]:
    """All files below a directory or inside a zip, relative to it.

    Raises:
        DataError: neither a directory nor a readable zip.
    """
    if root.is_dir():
        return [
            PurePosixPath(file.relative_to(root).as_posix()) for file in root.rglob("*") if file.is_file()
        ]
    if not root.exists():
        raise DataError(f"{root}: no such folder or zip")
    try:
        names = open_archive(root).namelist()
    except zipfile.BadZipFile:
        raise DataError(f"{root}: neither a folder nor a zip") from None
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error.strerror or error}") from None
    return [PurePosixPath(name) for name in names if not name.endswith("/")]
