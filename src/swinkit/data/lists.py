"""Lists of pictures, CSV or Parquet: a column `path`, relative to the list's folder, and a column `label`."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from sys import intern

from ..errors import DataError, EnvironmentProblem, listed
from .dataset import ImageDataset
from .folders import Directory
from .ids import Texts
from .labels import numbered

SUFFIXES = (".csv", ".parquet")
READ = ("path", "label", "split")  # columns; others are passed over
AT_ONCE = 65_536  # rows of Parquet
Columns = Mapping[str, list[str]]


def list_of(root: Path, split: str) -> Path | None:
    """The list of a split: `train.csv` in a folder, or a list with a column `split`."""
    if root.is_file():
        return root if root.suffix.lower() in SUFFIXES else None
    found = [root / f"{split}{suffix}" for suffix in SUFFIXES if (root / f"{split}{suffix}").is_file()]
    return found[0] if found else None


def read_list(path: Path, split: str, classes: Sequence[str] | None) -> ImageDataset | None:
    """The pictures of one split; None if a list for all splits has none of it.

    Raises:
        DataError: the list is damaged, or names something twice, or nothing that exists.
    """
    columns = read_columns(path)
    paths, labels = columns["path"], columns["label"]
    if paths and "split" in columns:  # it counts in a list that is called like a split, too
        chosen = [i for i, name in enumerate(columns["split"]) if name == split]
        paths, labels = [paths[i] for i in chosen], [labels[i] for i in chosen]
        if not paths and path.stem == split:
            found = listed(sorted(set(columns["split"])), 20)
            raise DataError(f"{path}: no row's `split` is {split} (found: {found}); mend or drop the column")
        if not paths:
            return None
    elif path.stem != split:
        raise DataError(
            f"{path}: no column `split`; add one, or name the lists train.csv and val.csv and "
            "give their folder"
        )
    if not paths:
        raise DataError(f"{path}: the list is empty")
    if len(set(paths)) < len(paths):
        twice = sorted({name for name in paths if paths.count(name) > 1}) if len(paths) < 1000 else []
        raise DataError(f"{path}: pictures are listed more than once {listed(twice)}".rstrip())
    if not (path.parent / paths[0]).exists():
        raise DataError(
            f"{path}: {path.parent / paths[0]}, the first in the list, does not exist; paths are relative to "
            "the folder of the list"
        )
    numbers, names = numbered(labels, paths, path, classes)
    return ImageDataset(path.parent, split, Directory(Texts(paths), path.parent), names, numbers)


def read_columns(path: Path) -> Columns:
    """The columns `path`, `label` and, where it is there, `split`, as text.

    Raises:
        DataError: a column or a value is missing, or the file cannot be read as what its name says.
    """
    columns = read_parquet(path) if path.suffix.lower() == ".parquet" else read_csv(path)
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        inside = "; if it holds the pictures themselves, call it as the hub does, {0}-00000-of-00001.parquet"
        hint = inside.format(path.stem) if path.suffix.lower() == ".parquet" else ""
        raise DataError(f"{path}: no column {listed(missing)} (found: {listed(columns, 20) or 'none'}){hint}")
    for name, values in columns.items():
        if "" in values:
            raise DataError(f"{path}: row {values.index('') + 1} has no {name}")
    return columns


def read_csv(path: Path) -> Columns:
    """The columns of `READ`; of others the name alone.

    Raises:
        DataError: it is not UTF-8, or a row has more or fewer cells than the first.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = (row for row in csv.reader(file) if row)
            head = [name.strip() for name in next(rows, [])]
            places = {name: i for i, name in enumerate(head) if name in READ}
            columns: dict[str, list[str]] = {name: [] for name in head}
            for number, row in enumerate(rows, 1):
                if len(row) != len(head):
                    raise DataError(f"{path}: row {number} has {len(row)} cells, the first line {len(head)}")
                for name, i in places.items():
                    columns[name].append(once(name, row[i].strip()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8: {error}") from None
    return columns


def read_parquet(path: Path) -> Columns:
    """The columns of `READ`.

    Raises:
        DataError: it is no Parquet file.
        EnvironmentProblem: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise EnvironmentProblem(
            f"{path}: reading Parquet needs pyarrow; pip install 'swinkit[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(path) as table:
            found = [name for name in table.schema_arrow.names if name in READ]
            columns: dict[str, list[str]] = {name: [] for name in found}
            for rows in table.iter_batches(AT_ONCE, columns=found):
                for name, values in columns.items():
                    cells = rows.column(name).to_pylist()
                    values += ["" if cell is None else once(name, str(cell)) for cell in cells]
    except (OSError, ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None
    return columns


def once(column: str, cell: str) -> str:
    """A label or a split, which many rows have, is one object in all of them."""
    return cell if column == "path" else intern(cell)
