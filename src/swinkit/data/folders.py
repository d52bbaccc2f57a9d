"""Labelled pictures in folders, one folder a class; a directory or a zip of it, read in place."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import torch

from ..errors import DataError, listed
from .dataset import ALL, HELD_OUT, TRAIN, Content, ImageDataset
from .ids import Texts
from .images import SUFFIXES, ImageError


@dataclass(frozen=True)
class Directory(Content):
    """Files below a folder; their names are relative to it, with forward slashes."""

    root: Path

    def read(self, index: int) -> Path:
        """The file."""
        return self.root / self.ids[index]

    def stamp(self, index: int) -> str:
        """Its size in bytes; a file that is gone has none."""
        try:
            return str(self.read(index).stat().st_size)
        except OSError:
            return ""

    def written(self, index: int) -> int:
        """Of the file."""
        try:
            return self.read(index).stat().st_mtime_ns
        except OSError:
            return 0

    def place(self, index: int) -> str:
        """Its path."""
        return str(self.read(index))


@dataclass(frozen=True)
class Archive(Content):
    """Members of a zip."""

    path: Path

    def read(self, index: int) -> bytes:
        """The bytes of a member."""
        try:
            return open_archive(self.path).read(self.ids[index])
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:  # encrypted, too
            raise ImageError(self.place(index), f"cannot be read from the zip: {error}") from None

    def stamp(self, index: int) -> str:
        """Size and checksum, from the table of contents."""
        found = open_archive(self.path).getinfo(self.ids[index])
        return f"{found.file_size} {found.CRC:08x}"

    def written(self, index: int) -> int:  # noqa: ARG002
        """Checksums tell more."""
        return 0

    def place(self, index: int) -> str:
        """The zip and the member."""
        return f"{self.path}:{self.ids[index]}"


def open_archive(path: Path) -> zipfile.ZipFile:
    """Opened once by each process while it stays the same file: to read a large table takes seconds.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is no zip.
    """
    found = path.stat()
    return archive_of(path, (found.st_size, found.st_mtime_ns), os.getpid())


@lru_cache(maxsize=4)
def archive_of(path: Path, version: tuple[int, int], process: int) -> zipfile.ZipFile:  # noqa: ARG001
    """One for each process, since a file that two share has one position."""
    return zipfile.ZipFile(path)


def find_folders(root: Path, *splits: str, classes: Sequence[str] | None = None) -> ImageDataset:
    """The pictures of the first of `splits`, folders such as "val" or "test", that a folder or zip has.

    Classes are sorted by name unless given; one may be without pictures. Folders around the splits are
    looked through; hidden files, and those that macOS adds to zips, are passed over.

    Raises:
        DataError: there is no such split with pictures, or it has classes that are not in `classes`.
    """
    names = sorted(list_names(root))
    pictures = [name for name in names if is_picture(name)]
    for split in splits:
        depths = {parts.index(split) for parts in map(parts_of, pictures) if split in parts[:-2]}
        if depths:
            break
    else:
        inside = sorted({name.split("/")[0] for name in names if not is_hidden(name)})
        raise DataError(
            f"{root}: no split {' or '.join(splits)} (expected SPLIT/CLASS/picture.jpg, SPLIT.csv, "
            f"SPLIT-*.tar or SPLIT-*.parquet; found {listed(inside) or 'nothing'})"
            + advice(root, splits, inside)
        )
    at = min(depths)  # a class may be called as a split
    inside = [
        name for name in pictures if parts_of(name)[at : at + 1] == [split] and len(parts_of(name)) > at + 2
    ]
    folders = [parts_of(name) for name in names if name.endswith("/") and not is_hidden(name)]
    empty = {parts[at + 1] for parts in folders if len(parts) > at + 1 and parts[at] == split}
    found = sorted({parts_of(name)[at + 1] for name in inside} | empty)
    if classes is not None and set(found) - set(classes):
        strange = sorted(set(found) - set(classes))
        raise DataError(
            f"{root}: {split} has the unknown classes {listed(strange)} (known: {listed(classes, 20)}); "
            "rename their folders, or take them out"
        )
    number = {name: i for i, name in enumerate(classes or found)}
    labels = torch.tensor([number[parts_of(name)[at + 1]] for name in inside])
    return ImageDataset(root, split, content_of(root, inside), tuple(number), labels)


def find_pictures(root: Path, *splits: str) -> ImageDataset:
    """Plain pictures, whatever they show: of the first of `splits` there is, else of the whole folder or zip.

    Raises:
        DataError: there are none.
    """
    split, pictures = inside_of(splits, sorted(filter(is_picture, list_names(root))))
    if not pictures:
        raise DataError(f"{root}: no pictures (looked for {', '.join(SUFFIXES)})")
    return ImageDataset(root, split, content_of(root, pictures))


def inside_of(splits: Sequence[str], names: list[str]) -> tuple[str, list[str]]:
    """The first of `splits` that there is, and the files inside; else `all`, and all files.

    Of several folders around a file that are called like splits, the outermost tells: a class may be, too.
    """
    known = {TRAIN, *HELD_OUT, *splits}
    outermost = [next((part for part in parts_of(name)[:-1] if part in known), None) for name in names]
    for split in splits:
        inside = [name for name, found in zip(names, outermost, strict=True) if found == split]
        if inside:
            return split, inside
    return ALL, names


def content_of(root: Path, names: Sequence[str]) -> Content:
    """How to read these names below `root`, of those that `list_names` told."""
    return Directory(Texts(names), root) if root.is_dir() else Archive(Texts(names), root)


def parts_of(name: str) -> list[str]:
    """The folders around a file, and the file."""
    return [part for part in name.split("/") if part not in ("", ".")]


def is_picture(name: str) -> bool:
    """Whether a file is called like one, and neither hidden nor added by macOS."""
    return name.lower().endswith(SUFFIXES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder around it is hidden, or added by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts_of(name))


def refuse(error: OSError) -> NoReturn:
    """What cannot be looked into may hold pictures."""
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}")


def advice(root: Path, splits: Sequence[str], inside: Sequence[str]) -> str:
    """What somebody meant who gave this folder, where there is no split in it, but the splits are near."""
    if root.name in (*splits, "train"):
        return f"; this is a split itself, so give its parent, {root.parent}"
    lists = [name for name in inside if name.endswith((".csv", ".parquet"))]
    return f"; a list with a column `split` is given as a file: {root / lists[0]}" if len(lists) == 1 else ""


def leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder that it lies in: to follow it would come to no end."""
    return folder.is_symlink() and folder.resolve() in {parent.resolve() for parent in folder.parents}


def list_names(root: Path) -> list[str]:
    """All files below a directory or inside a zip, relative to it; folders, too, which end in a slash.

    Links are followed, but not in circles.

    Raises:
        DataError: neither a directory nor a readable zip, or a folder in it is closed to us.
    """
    if root.is_dir():
        found: list[str] = []
        for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
            folders[:] = [name for name in folders if not leads_back(Path(folder, name))]
            below = Path(folder).relative_to(root).as_posix()
            start = "" if below == "." else f"{below}/"
            found += [f"{start}{name}" for name in (*files, *(f"{inner}/" for inner in folders))]
        return found
    if not root.exists():
        raise DataError(f"{root}: no such folder, zip or list")
    try:
        return open_archive(root).namelist()
    except zipfile.BadZipFile:
        raise DataError(f"{root}: neither a folder nor a zip, nor a list (.csv, .parquet)") from None
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error.strerror or error}") from None
