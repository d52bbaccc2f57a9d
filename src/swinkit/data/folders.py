"""Labelled pictures in folders, one folder a class; a directory or a zip of it, read in place."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NoReturn

import torch

from ..errors import DataError, listed
from .images import SUFFIXES, ImageError
from .samples import Content, Samples


@dataclass(frozen=True)
class Directory(Content):
    """Files below a folder; their names are relative to it, with forward slashes."""

    root: Path

    def read(self, name: str) -> Path:
        """The file."""
        return self.root / name

    def stamp(self, name: str) -> str:
        """Its size in bytes; a file that is gone has none."""
        try:
            return str((self.root / name).stat().st_size)
        except OSError:
            return ""

    def place(self, name: str) -> str:
        """Its path."""
        return str(self.root / name)


@dataclass(frozen=True)
class Archive(Content):
    """Members of a zip."""

    path: Path

    def read(self, name: str) -> bytes:
        """The bytes of a member."""
        try:
            return open_archive(self.path).read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:  # encrypted, too
            raise ImageError(self.place(name), f"cannot be read from the zip: {error}") from None

    def stamp(self, name: str) -> str:
        """Size and checksum, from the table of contents."""
        found = open_archive(self.path).getinfo(name)
        return f"{found.file_size} {found.CRC:08x}"

    def place(self, name: str) -> str:
        """The zip and the member."""
        return f"{self.path}:{name}"


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


def find_folders(root: Path, *splits: str, classes: Sequence[str] | None = None) -> Samples:
    """The pictures of the first of `splits`, folders such as "val" or "test", that a folder or zip has.

    Classes are sorted by name unless given; one may be without pictures. Folders around the splits are
    looked through; hidden files, and those that macOS adds to zips, are passed over.

    Raises:
        DataError: there is no such split with pictures, or it has classes that are not in `classes`.
    """
    names = sorted(list_names(root))
    pictures = [PurePosixPath(name) for name in names if is_picture(name)]
    for split in splits:
        depths = [path.parts.index(split) for path in pictures if split in path.parts[:-2]]
        if depths:
            break
    else:
        inside = sorted({name.split("/")[0] for name in names if not is_hidden(name)})
        raise DataError(
            f"{root}: no split {' or '.join(splits)} (expected SPLIT/CLASS/picture.jpg, SPLIT.csv, "
            f"SPLIT-*.tar or SPLIT-*.parquet; found {listed(inside) or 'nothing'})"
        )
    at = min(depths)  # a class may be called as a split
    inside = [path for path in pictures if len(path.parts) > at + 2 and path.parts[at] == split]
    folders = [PurePosixPath(name).parts for name in names if name.endswith("/") and not is_hidden(name)]
    empty = {parts[at + 1] for parts in folders if len(parts) > at + 1 and parts[at] == split}
    found = sorted({path.parts[at + 1] for path in inside} | empty)
    if classes is not None and set(found) - set(classes):
        strange = sorted(set(found) - set(classes))
        raise DataError(
            f"{root}: {split} has the unknown classes {listed(strange)} (known: {listed(classes, 20)}); "
            "rename their folders, or take them out"
        )
    number = {name: i for i, name in enumerate(classes or found)}
    labels = torch.tensor([number[path.parts[at + 1]] for path in inside])
    return Samples(root, split, tuple(map(str, inside)), labels, tuple(number), content_of(root))


def find_pictures(root: Path, *splits: str) -> Samples:
    """Plain pictures, whatever they show: of the first of `splits` there is, else of the whole folder or zip.

    Raises:
        DataError: there are none.
    """
    pictures = [PurePosixPath(name) for name in sorted(list_names(root)) if is_picture(name)]
    if not pictures:
        raise DataError(f"{root}: no pictures (looked for {', '.join(SUFFIXES)})")
    for split in splits:
        inside = [path for path in pictures if split in path.parts[:-1]]
        if inside:
            return Samples(root, split, tuple(map(str, inside)), None, (), content_of(root))
    return Samples(root, "all", tuple(map(str, pictures)), None, (), content_of(root))


def content_of(root: Path) -> Content:
    """How to read below `root`, which `list_names` has seen."""
    return Directory(root) if root.is_dir() else Archive(root)


def is_picture(name: str) -> bool:
    """Whether a file is called like one, and neither hidden nor added by macOS."""
    return name.lower().endswith(SUFFIXES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder around it is hidden, or added by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def refuse(error: OSError) -> NoReturn:
    """What cannot be looked into may hold pictures."""
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}")


def list_names(root: Path) -> list[str]:
    """All files below a directory or inside a zip, relative to it; folders, too, which end in a slash.

    Raises:
        DataError: neither a directory nor a readable zip, or a folder in it is closed to us.
    """
    if root.is_dir():
        found = (
            (Path(folder).relative_to(root), name)
            for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True)
            for name in (*files, *(f"{inner}/" for inner in folders))
        )
        return [name if folder == Path() else f"{folder.as_posix()}/{name}" for folder, name in found]
    if not root.exists():
        raise DataError(f"{root}: no such folder or zip")
    try:
        return open_archive(root).namelist()
    except zipfile.BadZipFile:
        raise DataError(f"{root}: neither a folder nor a zip") from None
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error.strerror or error}") from None
