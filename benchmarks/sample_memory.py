"""Memory of a sample in each layout: `python -m benchmarks.sample_memory OUT`.

Data sets of many samples, called as ImageNet-22k's are, without a picture in them: files of no bytes, lists
of files that are not there. Each layout is found in a process of its own, which then says what it holds, and
what it held at most meanwhile; what is mapped from files is not counted as held. Linux.
"""

import argparse
import csv
import ctypes
import gc
import io
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from zipfile import ZipFile

from swinkit.data.find_dataset import find_samples

IN_CLASS = 650  # samples, as of ImageNet-22k's 14.2 million in 21,841 classes
FEW = 1000  # with which a process first imports what it needs
STATUS = Path("/proc/self/status")


def main() -> int:
    """Make, measure and remove one data set after another."""
    options = build_parser().parse_args()
    print("| layout | bytes a sample | at most, while they are found |\n|---|---|---|")
    for layout in options.layouts:
        few, many = (options.out / f"{layout}-{count}" for count in (FEW, options.samples))
        make_data(layout, few, FEW)
        make_data(layout, many, options.samples)
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            held, most = process.submit(measure, few, many).result()
        print(f"| {layout} | {held / options.samples:.0f} | {most / options.samples:.0f} |", flush=True)
        shutil.rmtree(few)
        shutil.rmtree(many)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder for the data sets, which are removed again")
    parser.add_argument("--samples", type=int, default=1_000_000, help="of each data set")
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    return parser


def measure(few: Path, many: Path) -> tuple[int, int]:
    """Return the bytes that the samples of `many` take, and the peak while they were found."""
    find_samples(few / "set", "train")
    before = settled_memory("RssAnon")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is now
    start = memory("VmHWM")
    samples = find_samples(many / "set", "train")
    most = memory("VmHWM") - start
    held = settled_memory("RssAnon") - before
    assert samples.ids
    return held, most


def settled_memory(name: str) -> int:
    """Return the resident bytes after free memory was returned to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return memory(name)


def memory(name: str) -> int:
    """Return the bytes that Linux counts of this process."""
    row = next(row for row in STATUS.read_text().splitlines() if row.startswith(f"{name}:"))
    return 1024 * int(row.split()[1])


# ---- Data sets without pictures --------------------------------------------------------------------------


def make_data(layout: str, out: Path, count: int) -> None:
    """Make a data set of `count` samples in `out/set`."""
    if out.exists():
        shutil.rmtree(out)
    (out / "set").mkdir(parents=True)
    LAYOUTS[layout](out / "set", count)


def names(count: int) -> Iterator[tuple[str, str]]:
    """Yield the class and file of each sample."""
    for i in range(count):
        wordnet = f"n{i // IN_CLASS:08}"
        yield wordnet, f"{wordnet}_{i}.JPEG"


def as_folders(root: Path, count: int) -> None:
    """Make empty files."""
    for wordnet, file in names(count):
        folder = root / "train" / wordnet
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def as_zip(root: Path, count: int) -> None:
    """Make the same in a zip."""
    root.rmdir()
    with ZipFile(root, "w") as archive:
        for wordnet, file in names(count):
            archive.writestr(f"train/{wordnet}/{file}", b"")


def as_list(root: Path, count: int, suffix: str) -> None:
    """Make a list of files, of which only the first exists."""
    rows = [(f"{wordnet}/{file}", wordnet) for wordnet, file in names(count)]
    (root / rows[0][0]).parent.mkdir()
    (root / rows[0][0]).touch()
    if suffix == "csv":
        with (root / "train.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label"), *rows])
        return
    import pyarrow as pa
    from pyarrow import parquet

    paths, labels = zip(*rows, strict=True)
    parquet.write_table(pa.table({"path": paths, "label": labels}), root / "train.parquet")


def as_shards(root: Path, count: int) -> None:
    """Make tars of ten thousand empty pictures, each with its label."""
    found = names(count)
    for at in range(0, count, 10_000):
        with tarfile.open(root / f"train-{at // 10_000:06}.tar", "w") as archive:
            for _ in range(min(10_000, count - at)):
                wordnet, file = next(found)
                archive.addfile(tarfile.TarInfo(file))
                label = tarfile.TarInfo(file.replace("JPEG", "cls"))
                label.size = len(wordnet)
                archive.addfile(label, io.BytesIO(wordnet.encode()))


def as_tables(root: Path, count: int) -> None:
    """Make a DatasetDict as `save_to_disk` writes it."""
    import datasets

    datasets.disable_progress_bars()
    classes = [wordnet for wordnet, _ in list(names(count))[::IN_CLASS]]
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=classes)})
    rows = {
        "image": [{"bytes": b"\0", "path": None}] * count,
        "label": [i // IN_CLASS for i in range(count)],
    }
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features=kinds)}).save_to_disk(root)


LAYOUTS: dict[str, Callable[[Path, int], None]] = {
    "folders": as_folders,
    "zip": as_zip,
    "csv": partial(as_list, suffix="csv"),
    "parquet": partial(as_list, suffix="parquet"),
    "shards": as_shards,
    "tables": as_tables,
}

if __name__ == "__main__":
    sys.exit(main())
