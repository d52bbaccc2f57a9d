"""Data sets as lists, CSV or Parquet: columns `path`, relative to the list's folder, and `label`."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from sys import intern

from ..errors import DataError, EnvironmentProblem, listed
from .dataset import ImageDataset
from .folders import Directory
from .ids import Texts
from .labels import number_labels

SUFFIXES = (".csv", ".parquet")
READ = ("path", "label", "split")  # columns; others are passed over
AT_ONCE = 65_536  # rows of Parquet
Columns = Mapping[str, list[str]]


def list_of(root: Path, split: str) -> Path | None:
    """Return the list of a split: `train.csv` in a folder, or a list with a column `split`."""
    if root.is_file():
        return root if root.suffix.lower() in SUFFIXES else None
    found = [root / f"{split}{suffix}" for suffix in SUFFIXES if (root / f"{split}{suffix}").is_file()]
    return found[0] if found else None


def read_list(
    path: Path, split: str, classes: Sequence[str] | None, as_texts: bool = False
) -> ImageDataset | None:
    """Read the samples of one split; None if a list for all splits has none of it.

    With `as_texts` a label may be empty, or stand in columns of its own (`data.values`).

    Raises:
        DataError: the list is damaged, names a file twice, or names files that do not exist.
    """
    columns = read_columns(path, as_texts)
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
    numbers, names = number_labels(labels, paths, path, classes, as_texts=as_texts)
    return ImageDataset(path.parent, split, Directory(Texts(paths), path.parent), names, numbers)


def read_columns(path: Path, as_texts: bool = False) -> Columns:
    """Read the columns `path`, `label` and, if it exists, `split`, as text.

    With `as_texts` all further columns are the label, where there is no column of this name.

    Raises:
        DataError: a column or a value is missing, or the file cannot be read as what its name says.
    """
    read = read_parquet if path.suffix.lower() == ".parquet" else read_csv
    columns = read(path, as_texts)
    if as_texts:
        columns = join_values(columns)
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        inside = "; if it holds the pictures themselves, call it as the hub does, {0}-00000-of-00001.parquet"
        hint = inside.format(path.stem) if path.suffix.lower() == ".parquet" else ""
        raise DataError(f"{path}: no column {listed(missing)} (found: {listed(columns, 20) or 'none'}){hint}")
    for name, values in columns.items():
        if "" in values and not (as_texts and name == "label"):
            raise DataError(f"{path}: row {values.index('') + 1} has no {name}")
    return columns


def join_values(columns: Columns) -> Columns:
    """Return the columns of `READ`; without a label, it is made of the others: `cat=1;dog=0`."""
    known = {name: values for name, values in columns.items() if name in READ}
    others = {name: values for name, values in columns.items() if name not in READ}
    if "label" in known or not others:
        return known
    rows = zip(*others.values(), strict=True)
    texts = [";".join(f"{name}={cell}" for name, cell in zip(others, row, strict=True)) for row in rows]
    return known | {"label": texts}


def read_csv(path: Path, every: bool = False) -> Columns:
    """Read the columns of `READ`, or `every` one, from CSV; of others the name alone.

    Raises:
        DataError: it is not UTF-8, or a row has more or fewer cells than the first.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = (row for row in csv.reader(file) if row)
            head = [name.strip() for name in next(rows, [])]
            places = {name: i for i, name in enumerate(head) if every or name in READ}
            columns: dict[str, list[str]] = {name: [] for name in head}
            for number, row in enumerate(rows, 1):
                if len(row) != len(head):
                    raise DataError(f"{path}: row {number} has {len(row)} cells, the first line {len(head)}")
                for name, i in places.items():
                    columns[name].append(intern_cell(name, row[i].strip()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8: {error}") from None
    return columns


def read_parquet(path: Path, every: bool = False) -> Columns:
    """Read the columns of `READ`, or `every` one, from Parquet; a list in a cell becomes `cat;dog`.

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
            found = [name for name in table.schema_arrow.names if every or name in READ]
            columns: dict[str, list[str]] = {name: [] for name in found}
            for rows in table.iter_batches(AT_ONCE, columns=found):
                for name, values in columns.items():
                    cells = rows.column(name).to_pylist()
                    values += ["" if cell is None else intern_cell(name, text_of(cell)) for cell in cells]
    except (OSError, ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None
    return columns


def intern_cell(column: str, cell: str) -> str:
    """Return a label or a split as one object for all the rows that have it."""
    return cell if column == "path" else intern(cell)


def text_of(cell: object) -> str:
    """Return a cell as text; of a list, its entries with semicolons between."""
    return ";".join(map(str, cell)) if isinstance(cell, list) else str(cell)
