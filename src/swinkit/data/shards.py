"""Data sets as tar shards in WebDataset's layout, with random access through an index.

A sample is the files of one key: `0001.jpg` with `0001.cls`, which holds a label, or `0001.json` with a
field `label`. The index of a shard is kept in swinkit's cache, never beside the shard.
"""

import hashlib
import json
import logging
import tarfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from sys import intern

import torch
from torch import Tensor

from ..errors import DataError, EnvironmentProblem, listed
from ..files.atomic import atomic_write
from .dataset import Content, ImageDataset
from .ids import Texts
from .images import ImageError
from .labels import number_labels
from .paths import SUFFIXES, cache_root

LONGEST_LABEL = 2**20  # bytes of a .cls or .json
VERSION = 1  # of the index

Row = tuple[str, int, int, str | None]  # name of the image, offset, length, label

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shards(Content):
    """Images in tars; `spots` (N, 3) are tar, offset and length in bytes of each."""

    root: Path
    tars: tuple[Path, ...]
    spots: Tensor

    def read(self, index: int) -> bytes:
        """Return the bytes of an image."""
        tar, start, size = self.spots[index].tolist()
        try:
            with self.tars[tar].open("rb") as file:
                file.seek(start)
                return file.read(size)
        except OSError as error:
            raise ImageError(self.place(index), f"cannot be read from the tar: {error.strerror}") from None

    def stamp(self, index: int) -> str:
        """Return its size in bytes."""
        return str(int(self.spots[index, 2]))

    def written(self, index: int) -> int:
        """Return when its tar was written, in nanoseconds."""
        return self.times[int(self.spots[index, 0])]

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Modification time of each tar, in nanoseconds."""
        return tuple(tar.stat().st_mtime_ns for tar in self.tars)

    def place(self, index: int) -> str:
        """Return tar and image."""
        return str(self.root / self.ids[index])


def shards_of(root: Path, split: str) -> list[Path]:
    """Find the tars of a split: `train-000000.tar`, `train.tar` or `train/*.tar`."""
    if not root.is_dir():
        return []
    beside = sorted(root.glob(f"{split}*.tar"))
    return [path for path in beside if not path.stem[len(split) :][:1].isalpha()] or sorted(
        (root / split).glob("*.tar")
    )


def read_shards(
    root: Path, paths: Sequence[Path], split: str, classes: Sequence[str] | None, as_texts: bool = False
) -> ImageDataset:
    """Read the data set of these shards.

    Raises:
        DataError: a shard is damaged, or a picture has no label, or there is none.
    """
    ids, spots, labels = Texts(()), array("q"), list[str]()
    for tar, path in enumerate(paths):
        rows = index_of(path)
        if len({name for name, *_ in rows}) < len(rows):
            raise DataError(f"{path}: the same file twice; its writer was broken off?")
        for name, start, size, label in rows:
            ids.append(f"{path.relative_to(root).as_posix()}/{name}")
            spots.extend((tar, start, size))
            labels.append(intern(label or ""))
    if not labels:
        raise DataError(f"{root}: no pictures in the {len(paths)} shards of {split} (looked for {SUFFIXES})")
    unlabelled = [ids[i] for i, label in enumerate(labels) if not label]
    if unlabelled:
        raise DataError(
            f"{root}: {len(unlabelled)} pictures have no label, such as {listed(unlabelled, 1)}; each needs "
            "a .cls, or a .json with a field `label`, of the same name"
        )
    numbers, names = number_labels(labels, ids, root, classes, as_texts=as_texts)
    content = Shards(ids, root, tuple(paths), torch.frombuffer(spots, dtype=torch.int64).view(-1, 3))
    return ImageDataset(root, split, content, names, numbers)


def index_of(path: Path) -> list[Row]:
    """Return the rows of a shard, from the cache if it was indexed before and is still the same file.

    Raises:
        DataError: it is no plain tar.
    """
    found = path.stat()
    version = f"{VERSION} {path.resolve()} {found.st_size} {found.st_mtime_ns}"
    kept = cache_root() / "shards" / f"{hashlib.sha256(version.encode()).hexdigest()}.json"
    try:
        return [(name, start, size, label) for name, start, size, label in json.loads(kept.read_text())]
    except (OSError, ValueError, TypeError):  # not there, or cut short
        rows = scan(path)
    try:
        with atomic_write(kept, "it is built again next time") as partial:
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(rows))
    except EnvironmentProblem as problem:
        logger.warning("the index of %s: %s", path, problem)
    return rows


def scan(path: Path) -> list[Row]:
    """Read all headers of a tar.

    Raises:
        DataError: it is no plain tar, or a label cannot be read.
    """
    pictures: dict[str, list[tuple[str, int, int]]] = {}
    labels: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                stem, _, suffix = file.partition(".")
                key = f"{folder}/{stem}"
                if not member.isreg() or not stem:
                    continue
                if file.lower().endswith(SUFFIXES):
                    pictures.setdefault(key, []).append((member.name, member.offset_data, member.size))
                elif suffix in ("cls", "json") and member.size <= LONGEST_LABEL:
                    content = archive.extractfile(member)
                    text = label_of(content.read() if content else b"", suffix, f"{path}/{member.name}")
                    labels.update({} if text is None else {key: text})
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: cannot be read as an uncompressed tar: {error}; if it is compressed, unpack it to .tar"
        ) from None
    return [(*picture, labels.get(key)) for key, found in pictures.items() for picture in found]


def label_of(content: bytes, suffix: str, place: str) -> str | None:
    """Read the label in a `.cls`, or in a `.json` that has one.

    Raises:
        DataError: it is not text, or not JSON.
    """
    try:
        text = content.decode().strip()
        if suffix == "json":
            values = json.loads(text)
            value = values.get("label") if isinstance(values, dict) else None
            text = "" if value is None else str(value)
    except ValueError as error:
        raise DataError(f"{place}: the label cannot be read: {error}") from None
    return text or None
