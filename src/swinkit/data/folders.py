"""Data sets in folders, one for each class, in a directory or a zip."""

import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import torch

from ..errors import DataError, UsageError, listed
from .dataset import ALL, HELD_OUT, TRAIN, Content, ImageDataset
from .ids import Texts
from .images import ImageError
from .paths import SUFFIXES


class NoSplit(DataError):
    """A folder or zip without the splits that were looked for."""


class NoPictures(DataError):
    """A folder or zip without a picture."""


@dataclass(frozen=True)
class Directory(Content):
    """Files below a folder; their names are relative to it, with forward slashes."""

    root: Path

    def read(self, index: int) -> Path:
        """Return the file."""
        return self.root / self.ids[index]

    def stamp(self, index: int) -> str:
        """Return its size in bytes; empty for a file that is gone."""
        try:
            return str(self.read(index).stat().st_size)
        except OSError:
            return ""

    def written(self, index: int) -> int:
        """Return when the file was written, in nanoseconds."""
        try:
            return self.read(index).stat().st_mtime_ns
        except OSError:
            return 0

    def place(self, index: int) -> str:
        """Return its path."""
        return str(self.read(index))


@dataclass(frozen=True)
class Archive(Content):
    """Members of a zip."""

    path: Path

    def read(self, index: int) -> bytes:
        """Return the bytes of a member."""
        try:
            return open_archive(self.path).read(self.ids[index])
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:  # encrypted, too
            raise ImageError(self.place(index), f"cannot be read from the zip: {error}") from None

    def stamp(self, index: int) -> str:
        """Return size and checksum, from the table of contents."""
        found = open_archive(self.path).getinfo(self.ids[index])
        return f"{found.file_size} {found.CRC:08x}"

    def written(self, index: int) -> int:  # noqa: ARG002
        """Return 0: checksums cover every change."""
        return 0

    def place(self, index: int) -> str:
        """Return zip and member."""
        return f"{self.path}:{self.ids[index]}"


def open_archive(path: Path) -> zipfile.ZipFile:
    """Return an open zip, the same in a process while the file stays the same: a large table takes seconds.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is no zip.
    """
    found = path.stat()
    return archive_of(path, (found.st_size, found.st_mtime_ns), os.getpid())


@lru_cache(maxsize=4)
def archive_of(path: Path, version: tuple[int, int], process: int) -> zipfile.ZipFile:  # noqa: ARG001
    """Open a zip once in each process, since a file that two share has one position."""
    return zipfile.ZipFile(path)


def is_picture(name: str) -> bool:
    """Return whether a file has the suffix of an image, and is neither hidden nor added by macOS."""
    return name.lower().endswith(SUFFIXES) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Return whether a file or a folder around it is hidden, or added by macOS."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts_of(name))


def find_folders(
    root: Path,
    *splits: str,
    classes: Sequence[str] | None = None,
    is_sample: Callable[[str], bool] = is_picture,
) -> ImageDataset:
    """Find the images of the first of `splits`, such as "val" or "test", that a folder or zip has.

    Classes are sorted by name unless given; a class may have no images. Splits may lie in other folders;
    hidden files, and those that macOS adds to zips, are left out.

    Raises:
        DataError: there is no such split with pictures, or it has classes that are not in `classes`.
    """
    names = sorted(list_names(root))
    pictures = [name for name in names if is_sample(name)]
    for split in splits:
        depths = {parts.index(split) for parts in map(parts_of, pictures) if split in parts[:-2]}
        if depths:
            break
    else:
        require_folders_of_classes(root, splits, pictures)
        inside = sorted({name.split("/")[0] for name in names if not is_hidden(name)})
        raise NoSplit(
            f"{root}: no split {' or '.join(splits)} (expected SPLIT/CLASS/picture.jpg, SPLIT.csv, "
            f"SPLIT-*.tar or SPLIT-*.parquet; found {listed(inside) or 'nothing'})"
            + hint_for(root, splits, inside)
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


def find_unsplit(root: Path, is_sample: Callable[[str], bool] = is_picture) -> ImageDataset:
    """Find the images of a folder of classes without splits, CLASS/picture, or of its split `train`.

    Raises:
        UsageError: there is a split that is held out already.
        DataError: there are no pictures, or some outside of the folders of classes.
    """
    names = sorted(name for name in list_names(root) if is_sample(name))
    split, _ = files_of_split((*HELD_OUT, TRAIN), names)
    if split in HELD_OUT:
        raise UsageError(
            f"{root} has a split {split}, so that nothing needs to be held out; drop data.hold_out"
        )
    if split == TRAIN:
        return find_folders(root, TRAIN, is_sample=is_sample)
    loose = [name for name in names if len(parts_of(name)) < 2]
    if loose or not names:
        what = f"pictures outside of folders, such as {listed(loose[:1])}" if loose else "no pictures"
        raise DataError(f"{root}: {what}; data.hold_out needs folders CLASS/picture.jpg")
    classes = sorted({parts_of(name)[0] for name in names})
    number = {name: i for i, name in enumerate(classes)}
    labels = torch.tensor([number[parts_of(name)[0]] for name in names])
    return ImageDataset(root, ALL, content_of(root, names), tuple(classes), labels)


def require_folders_of_classes(root: Path, splits: Sequence[str], pictures: Sequence[str]) -> None:
    """Raise DataError if pictures lie in the folder of a split itself: they have no class there."""
    for split in splits:
        loose = [name for name in pictures if parts_of(name)[-2:-1] == [split]]
        if loose:
            raise DataError(
                f"{root}: pictures in {split} itself, such as {listed(loose[:1])}, have no class; put "
                f"them into folders, {split}/CLASS/picture.jpg, or list them in {split}.csv, with the "
                "columns path and label"
            )


def find_pictures(root: Path, *splits: str) -> ImageDataset:
    """Find unlabelled images of the first of `splits` that exists, else of the whole folder or zip.

    Raises:
        NoPictures: there are none.
    """
    split, pictures = files_of_split(splits, sorted(filter(is_picture, list_names(root))))
    if not pictures:
        raise NoPictures(f"{root}: no pictures (looked for {', '.join(SUFFIXES)})")
    return ImageDataset(root, split, content_of(root, pictures))


def files_of_split(splits: Sequence[str], names: list[str]) -> tuple[str, list[str]]:
    """Return the first of `splits` that exists with the files inside; else `all` with all files.

    Of several folders around a file with the name of a split the outermost counts: a class may have one, too.
    """
    known = {TRAIN, *HELD_OUT, *splits}
    outermost = [next((part for part in parts_of(name)[:-1] if part in known), None) for name in names]
    for split in splits:
        inside = [name for name, found in zip(names, outermost, strict=True) if found == split]
        if inside:
            return split, inside
    return ALL, names


def content_of(root: Path, names: Sequence[str]) -> Content:
    """Return the storage of these names, which `list_names` listed."""
    return Directory(Texts(names), root) if root.is_dir() else Archive(Texts(names), root)


def parts_of(name: str) -> list[str]:
    """Split a name into the folders around a file, and the file."""
    return [part for part in name.split("/") if part not in ("", ".")]


def refuse(error: OSError) -> NoReturn:
    """Raise DataError for a folder that cannot be listed, as it may hold images."""
    raise DataError(f"{error.filename}: cannot be read: {error.strerror}")


def hint_for(root: Path, splits: Sequence[str], inside: Sequence[str]) -> str:
    """Return a hint for a folder without splits whose parent or files are likely meant."""
    if root.name in (*splits, "train"):
        return f"; this is a split itself, so give its parent, {root.parent}"
    lists = [name for name in inside if name.endswith((".csv", ".parquet"))]
    return f"; a list with a column `split` is given as a file: {root / lists[0]}" if len(lists) == 1 else ""


def is_circular_link(folder: Path) -> bool:
    """Return whether it is a link to a folder that it lies in, which would be followed for ever."""
    return folder.is_symlink() and folder.resolve() in {parent.resolve() for parent in folder.parents}


def list_names(root: Path) -> list[str]:
    """List all files below a directory or inside a zip, and all folders, which end in a slash.

    Links are followed, but not in circles.

    Raises:
        DataError: neither a directory nor a readable zip, or a folder in it is closed to us.
    """
    if root.is_dir():
        found: list[str] = []
        for folder, folders, files in os.walk(root, onerror=refuse, followlinks=True):
            folders[:] = [name for name in folders if not is_circular_link(Path(folder, name))]
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
