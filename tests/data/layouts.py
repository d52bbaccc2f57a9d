"""The same pictures in every layout, whole or with something wrong with them."""

import csv
import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .pictures import NAMES, picture, saved_tables

Rows = Mapping[str, Sequence[tuple[str, bytes]]]  # of each split: class and content of each picture
CLASSES = "classes.txt"


def whole(**changed: Sequence[tuple[str, bytes]]) -> dict[str, Sequence[tuple[str, bytes]]]:
    """Eight pictures to train on and four to watch, of two classes in turn; or other splits instead."""
    rows = {
        split: [(NAMES[i % 2], picture(first + i)) for i in range(count)]
        for split, first, count in (("train", 0, 8), ("val", 8, 4))
    }
    return rows | changed


def folders(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """SPLIT/CLASS/NUMBER.png."""
    for split, pictures in rows.items():
        for name in names:
            (root / split / name).mkdir(parents=True)
        for i, (name, content) in enumerate(pictures):
            (root / split / name).mkdir(parents=True, exist_ok=True)
            (root / split / name / f"{i}.png").write_bytes(content)
    return root


def archive(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """Return a zip of the folders."""
    path = zipped(folders(root / "set", rows, names))
    shutil.rmtree(root / "set")
    return path


def zipped(root: Path, top: str = "") -> Path:
    """Return a zip beside a folder, with all that is in it below `top`."""
    path = root.with_name(f"{root.name}.zip")
    with zipfile.ZipFile(path, "w") as file:
        for inside in sorted(root.rglob("*")):
            file.write(inside, f"{top}{inside.relative_to(root).as_posix()}")
    return path


def lists(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """SPLIT.csv, and the pictures beside."""
    for split, pictures in rows.items():
        (root / "pictures" / split).mkdir(parents=True)
        paths = [f"pictures/{split}/{i}.png" for i in range(len(pictures))]
        for path, (_, content) in zip(paths, pictures, strict=True):
            (root / path).write_bytes(content)
        with (root / f"{split}.csv").open("w", newline="") as file:
            labels = (name for name, _ in pictures)
            csv.writer(file).writerows([("path", "label"), *zip(paths, labels, strict=True)])
    return named(root, names)


def parquet(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """Return the same lists in Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    lists(root, rows, names)
    for path in root.glob("*.csv"):
        head, *lines = csv.reader(path.read_text().splitlines())
        columns = dict(zip(head, zip(*lines, strict=True), strict=True))
        parquet.write_table(pa.table(columns), path.with_suffix(".parquet"))
        path.unlink()
    return root


def shards(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """SPLIT-000.tar."""
    root.mkdir(parents=True)
    for split, pictures in rows.items():
        with tarfile.open(root / f"{split}-000.tar", "w") as file:
            for i, (name, content) in enumerate(pictures):
                for member, inside in ((f"{i}.png", content), (f"{i}.cls", name.encode())):
                    entry = tarfile.TarInfo(member)
                    entry.size = len(inside)
                    file.addfile(entry, io.BytesIO(inside))
    return named(root, names)


def tables(root: Path, rows: Rows, names: Sequence[str] = ()) -> Path:
    """Return a DatasetDict, saved; classes are a ClassLabel, of `names` or of all in its own split."""
    for split, pictures in rows.items():
        found = [name for name, _ in pictures]
        known = list(names) or sorted({name for name in found if not name.lstrip("-").isdigit()})
        labels = [known.index(name) if name in known else int(name) for name in found]
        contents = dict(enumerate(content for _, content in pictures))
        saved_tables(root / split, {split: len(found)}, names=known, labels=labels, replaced=contents)
        (root / split / split).rename(root / "moved")
        shutil.rmtree(root / split)
        (root / "moved").rename(root / split)
    return root


def named(root: Path, names: Sequence[str]) -> Path:
    """With a list of the classes, if there are any."""
    if names:
        (root / CLASSES).write_text("\n".join(names))
    return root


LAYOUTS: dict[str, Callable[..., Path]] = {
    "folders": folders,
    "zip": archive,
    "lists": lists,
    "parquet": parquet,
    "shards": shards,
    "tables": tables,
}
