"""Hugging Face data sets on this machine: as `save_to_disk` writes them, or Parquet as on the hub.

Their own library, imported here alone, reads any row without loading the tables. It returns images as they
are stored, so that all images are decoded in the same way. It runs no code of a data set.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import DataError, EnvironmentProblem, listed
from .dataset import Content, ImageDataset
from .ids import Rows
from .images import ImageError
from .labels import number_labels, number_names
from .lists import text_of
from .paths import cache_root

if TYPE_CHECKING:
    from datasets import Dataset

STATE = "state.json"  # in the folder of a split that `save_to_disk` wrote
PARQUET = ("{0}-[0-9]*-of-[0-9]*.parquet", "{0}/[0-9]*.parquet")  # of a split, there or one folder deeper
LABEL = "label"  # the column that is meant where several could be
FULL = (errno.ENOSPC, errno.EDQUOT)
UNLABELLED = -1  # how the library writes it, where it is not None


@dataclass(frozen=True)
class Tables(Content):
    """Images in a column of tables, named by split and row; the row is the index."""

    root: Path
    parts: tuple[Path, ...]
    version: tuple[int, ...]
    column: str

    def read(self, index: int) -> Path | bytes:
        """Return the bytes of an image, or the file that its row names."""
        found = self.rows()[index][self.column] or {}
        if found.get("bytes"):
            return found["bytes"]
        if found.get("path"):
            return self.root / found["path"]
        raise ImageError(self.place(index), f"the column `{self.column}` is empty in this row")

    def stamp(self, index: int) -> str:
        """Return its size in bytes."""
        return str(int(sizes_of(self.parts, self.version, self.column, os.getpid())[index]))

    def written(self, index: int) -> int:  # noqa: ARG002
        """Return when the youngest table was written, in nanoseconds."""
        return max(self.version)

    def place(self, index: int) -> str:
        """Return data set, split and row."""
        return f"{self.root}:{self.ids[index]}"

    def rows(self) -> "Dataset":
        """Return all rows of the column of images, opened once in each process."""
        return pictures_of(self.parts, self.version, self.column, os.getpid())


def tables_of(root: Path, split: str) -> list[Path]:
    """Find the tables of a split: the folder that `save_to_disk` wrote, or Parquet files in order.

    It is `root` itself, if that split alone was saved there.
    """
    if not root.is_dir():
        return []
    if (root / split / STATE).is_file():
        return [root / split]
    if saved_split(root) == split:
        return [root]
    patterns = [pattern.format(split) for pattern in PARQUET]
    return sorted(path for each in patterns for place in (each, f"*/{each}") for path in root.glob(place))


def saved_split(root: Path) -> str | None:
    """Return the split saved in this folder alone, `all` if it has no name; None if the folder is none.

    Raises:
        DataError: it is damaged.
    """
    state = state_of(root)
    return None if state is None else str(state.get("_split") or "all")


def state_of(folder: Path) -> dict[str, Any] | None:
    """Read the state that `save_to_disk` wrote in a folder; None if it wrote none.

    Raises:
        DataError: the note is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; save the data set again") from None


def read_tables(
    root: Path, parts: Sequence[Path], split: str, classes: Sequence[str] | None, as_texts: bool = False
) -> ImageDataset:
    """Read the data set of these tables; without labels if there is no column of them.

    Raises:
        DataError: a table is damaged, has no column of pictures or several, or a label is out of range.
        EnvironmentProblem: the library is not installed, or cannot keep what it unpacks.
    """
    state = state_of(parts[0])
    if state is not None and not state.get("_data_files"):  # which the library cannot read
        raise DataError(f"{root}: {split} has no rows")
    folders = sorted({str(part.parent) for part in parts})
    if len(folders) > 1:
        raise DataError(
            f"{root}: {len(folders)} folders hold tables of {split}: {listed(folders)}; give one of them"
        )
    files = [part / STATE if part.is_dir() else part for part in parts]
    version = tuple(path.stat().st_mtime_ns for path in files)
    rows = open_tables(tuple(parts), version, os.getpid())
    from datasets import Image

    column = only_or_preferred(
        [name for name, kind in rows.features.items() if isinstance(kind, Image)], "image"
    )
    if column is None:
        raise DataError(
            f"{root}: {split} has no column of pictures, or several (columns: {listed(rows.features, 20)}); "
            "cast the right one to datasets.Image, and remove the others"
        )
    ids = Rows(split, len(rows))
    labels, names = labels_of(rows, ids, root, classes, as_texts)
    return ImageDataset(root, split, Tables(ids, root, tuple(parts), version, column), names, labels)


def only_or_preferred(names: Sequence[str], preferred: str) -> str | None:
    """Return the only name, or the preferred one of several; None if it is not among them."""
    return names[0] if len(names) == 1 else preferred if preferred in names else None


def labels_of(
    rows: "Dataset", ids: Sequence[str], where: Path, classes: Sequence[str] | None, as_texts: bool = False
) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return labels (N,) and classes of the ClassLabel column, else of the column `label`; else None.

    Raises:
        DataError: a row has no label, or one that is none of the classes; or it is unclear which they are.
    """
    from datasets import ClassLabel

    kinds: Mapping[str, Any] = rows.features
    found = [name for name, kind in kinds.items() if isinstance(kind, ClassLabel)]
    column = only_or_preferred(found, LABEL) or (LABEL if LABEL in kinds else None)
    if column is None and found:
        raise DataError(
            f"{where}: {listed(found)} could all be the labels; rename the right one to `{LABEL}`"
        )
    if column is None:
        return None, ()
    values = rows.data.column(column).to_pylist()
    absent = (None,) if as_texts else (None, UNLABELLED, "")
    empty = [ids[row] for row, value in enumerate(values) if value in absent]
    if empty:
        raise DataError(
            f"{where}: {len(empty)} rows have no label (empty or {UNLABELLED}) in the column `{column}`, "
            f"such as {listed(empty, 1)}; remove them from the data set"
        )
    if column not in found:
        return number_labels([text_of(value) for value in values], ids, where, classes, as_texts=as_texts)
    names = tuple(kinds[column].names)
    wrong = [row for row, value in enumerate(values) if not 0 <= value < len(names)]
    if wrong:
        raise DataError(
            f"{where}: the label {values[wrong[0]]} of `{ids[wrong[0]]}` is out of range; the column "
            f"`{column}` has {len(names)} classes, 0 to {len(names) - 1}; correct it, or remove the row"
        )
    if classes is None or tuple(classes) == names:
        return torch.tensor(values), names
    return number_names([names[value] for value in values], ids, where, classes)


@lru_cache(maxsize=16)
def pictures_of(parts: tuple[Path, ...], version: tuple[int, ...], column: str, process: int) -> "Dataset":
    """Return the column of images of these tables, as they are stored."""
    from datasets import Image

    rows = open_tables(parts, version, process).select_columns([column])
    return rows.cast_column(column, Image(decode=False))


@lru_cache(maxsize=16)
def sizes_of(parts: tuple[Path, ...], version: tuple[int, ...], column: str, process: int) -> Tensor:
    """Return the size of each image in bytes, (N,), without reading the images."""
    from pyarrow import compute

    pictures = pictures_of(parts, version, column, process).data.column(column)
    lengths: Any = compute.binary_length(compute.struct_field(pictures, "bytes"))  # pyright: ignore[reportAttributeAccessIssue]
    return torch.tensor(lengths.fill_null(0).to_numpy())


@lru_cache(maxsize=16)
def open_tables(parts: tuple[Path, ...], version: tuple[int, ...], process: int) -> "Dataset":  # noqa: ARG001
    """Open these tables, mapped into memory and not read, once in each process.

    Parquet, which knows no rows, is unpacked into swinkit's cache first.

    Raises:
        DataError: they are damaged.
        EnvironmentProblem: the library is not installed, or there is no space.
    """
    try:
        import datasets
    except ImportError:
        raise EnvironmentProblem(
            f"{parts[0]}: reading a Hugging Face dataset needs datasets; pip install 'swinkit[datasets]'"
        ) from None
    with quiet(datasets), one_line_errors(parts[0]):
        if parts[0].is_dir():
            return datasets.Dataset.load_from_disk(str(parts[0].absolute()))
        files = [str(part.absolute()) for part in parts]
        unpacked = datasets.load_dataset(
            "parquet", data_files=files, split="train", cache_dir=str(cache_root() / "tables")
        )
        assert isinstance(unpacked, datasets.Dataset)
        return unpacked


@contextmanager
def one_line_errors(part: Path) -> Iterator[None]:
    """Turn errors of the library, and of Arrow below it, into one line."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it has no errors of its own
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and is_ours(cause):
            raise EnvironmentProblem(
                f"{part} cannot be unpacked into {cache_root()}: {cause.strerror}; make room there, or name "
                "another place in $SWINKIT_CACHE"
            ) from None
        said = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise DataError(f"{part}: cannot be read as a Hugging Face dataset: {said}; save it again") from None


def is_ours(error: OSError) -> bool:
    """Return whether the cache fails, not the data set."""
    return error.errno in FULL or str(error.filename or "").startswith(str(cache_root()))


@contextmanager
def quiet(library: Any) -> Iterator[None]:
    """Hide the progress bars of the library."""
    before = library.are_progress_bars_disabled()
    library.disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            library.enable_progress_bars()
