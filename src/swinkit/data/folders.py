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

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation", "test"), "test": ("test", "val")}


@dataclass(frozen=True)
class LabelledImages:
    """`ROOT/SPLIT/CLASS/picture`: names in a stable order, their labels, and how to read one."""

    root: Path
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
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ImageError(f"{self.root}:{name}", f"damaged inside the zip: {error}") from None
        return load_image(content, name=f"{self.root}:{name}")


@lru_cache(maxsize=4)
def open_archive(path: Path) -> zipfile.ZipFile:
    """Opened once, since reading a large table of contents takes seconds."""
    return zipfile.ZipFile(path)


def find_labelled(root: str | Path, split: str, classes: Sequence[str] | None = None) -> LabelledImages:
    """The pictures of one split ("train", "val", "test") of a folder or zip.

    Classes are sorted by name unless given. A folder around the splits is looked through. "val" falls back on
    `valid`, `validation`, `test`.

    Raises:
        DataError: there is no such split, it holds no pictures, or its classes are not `classes`.
    """
    root = Path(root)
    entries = sorted(list_files(root))
    paths = [path for path in entries if path.suffix.lower() in SUFFIXES]
    for alias in SPLITS[split]:
        inside = [(path, path.parts.index(alias)) for path in paths if alias in path.parts[:-2]]
        if inside:
            break
    else:
        raise DataError(
            f"{root}: no pictures in {' or '.join(SPLITS[split])}/CLASS/ (expected SPLIT/CLASS/picture.jpg)"
        )
    found = tuple(sorted({path.parts[at + 1] for path, at in inside}))
    if classes is not None and set(found) - set(classes):
        strange = ", ".join(sorted(set(found) - set(classes)))
        raise DataError(f"{root}: the classes {strange} of {split} are unknown (known: {', '.join(classes)})")
    classes = tuple(classes or found)
    index = {name: i for i, name in enumerate(classes)}
    labels = torch.tensor([index[path.parts[at + 1]] for path, at in inside])
    return LabelledImages(root, tuple(str(path) for path, _ in inside), labels, classes)


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
    return [PurePosixPath(name) for name in names if not name.endswith("/")]
