"""Lists of pictures in CSV and Parquet: what they may say, and what is said of wrong ones."""

import csv
import sys

import pytest

from swinkit.data.find_dataset import find_pictures, find_samples
from swinkit.errors import DataError, EnvironmentProblem

from .pictures import numbered

ROWS = [("train/class0/000.png", "cat"), ("train/class1/001.png", "dog"), ("train/class0/002.png", "cat")]


def written(path, rows=ROWS, head=("path", "label")):
    """Return a list of such rows."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    else:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.table(dict(zip(head, zip(*rows, strict=True), strict=True))), path)
    return path


@pytest.fixture
def root(tmp_path):
    return numbered(tmp_path, 4)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_list_for_each_split_lies_in_the_folder(root, suffix):
    written(root / f"train{suffix}")
    samples = find_samples(root, "train")
    assert samples.ids == tuple(name for name, _ in ROWS)
    assert samples.classes == ("cat", "dog")
    assert samples.labels.tolist() == [0, 1, 0]
    assert [int(samples[i].image[0, 0, 0]) for i in range(3)] == [0, 1, 2]
    assert find_pictures(root, "train").ids == samples.ids


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_one_list_may_tell_the_split_of_each_picture(root, suffix):
    splits = ("train", "val", "train")
    rows = [(split, label, name) for split, (name, label) in zip(splits, ROWS, strict=True)]
    path = written(root / f"all{suffix}", rows, ("split", "label", "path"))
    assert find_samples(path, "train").ids == (ROWS[0][0], ROWS[2][0])
    held_out = find_samples(path, "test", "val", classes=("cat", "dog"))
    assert (held_out.split, held_out.labels.tolist()) == ("val", [1])
    with pytest.raises(DataError, match=r"no row has test or holdout in its column `split`"):
        find_samples(path, "test", "holdout")


def test_a_list_goes_before_folders_of_the_same_place(root):
    written(root / "train.csv", ROWS[:1])
    assert len(find_samples(root, "train")) == 1


def test_numbers_count_the_classes_that_stand_beside_the_list(root):
    numbers = [(name, number) for (name, _), number in zip(ROWS, ("2", "0", "2"), strict=True)]
    written(root / "train.csv", numbers)
    assert find_samples(root, "train").classes == ("0", "1", "2")
    assert find_samples(root, "train", classes=("x", "y", "z")).classes == ("x", "y", "z")
    (root / "classes.txt").write_text("cat\ndog\nowl\n")
    assert find_samples(root, "train").classes == ("cat", "dog", "owl")
    ordered = find_samples(root, "train", classes=("owl", "dog", "cat"))
    assert ordered.labels.tolist() == [0, 2, 0]


@pytest.mark.parametrize("whole", [False, True], ids=["folder", "list"])
def test_a_column_that_tells_splits_counts_in_a_list_called_like_one(root, whole):
    """Else what is held out would be trained on."""
    rows = [(*row, split) for row, split in zip(ROWS, ("train", "val", "train"), strict=True)]
    written(root / "train.csv", rows, ("path", "label", "split"))
    found = find_samples(root / "train.csv" if whole else root, "train")
    assert list(found.ids) == [ROWS[0][0], ROWS[2][0]]


def test_a_list_called_like_a_split_that_has_none_of_it_is_told(root):
    written(root / "train.csv", [(*row, "fold1") for row in ROWS], ("path", "label", "split"))
    with pytest.raises(DataError, match=r"no row's `split` is train \(found: `fold1`\); mend or drop"):
        find_samples(root, "train")


@pytest.mark.parametrize(
    ("rows", "head", "classes", "message"),
    [
        ([], ("path", "label"), None, "the list is empty"),
        (ROWS, ("file", "label"), None, r"no column `path` .found: `file`, `label`"),
        (ROWS, ("path", "kind"), None, "no column `label`"),
        ([*ROWS, ("b.png", "")], ("path", "label"), None, "row 4 has no label"),
        ([*ROWS, ("b.png",)], ("path", "label"), None, "row 4 has 1 cells, the first line 2"),
        ([*ROWS, ROWS[0]], ("path", "label"), None, "listed more than once `train/class0/000.png`"),
        ([("else/0.png", "cat")], ("path", "label"), None, "paths are relative to the folder of the list"),
        (
            ROWS,
            ("path", "label"),
            ("cat", "owl"),
            r"label `dog` of .*001\.png` is unknown \(known: `cat`, `owl`\)",
        ),
        (
            [(ROWS[0][0], "7")],
            ("path", "label"),
            ("a", "b"),
            r"label 7 of .*000\.png` is out of range; .* 2 classes, 0 to 1; correct it",
        ),
    ],
)
def test_what_is_wrong_with_a_list_is_explained(root, rows, head, classes, message):
    written(root / "train.csv", rows, head)
    with pytest.raises(DataError, match=message):
        find_samples(root, "train", classes=classes)


def test_names_of_classes_must_be_one_a_line(root):
    written(root / "train.csv", [(ROWS[0][0], "5")])
    for content, message in (
        (b"a\nb\na\n", "every line"),
        (b"\xff", "cannot be read"),
        (b"a\nb\n", "out of range"),
    ):
        (root / "classes.txt").write_bytes(content)
        with pytest.raises(DataError, match=message):
            find_samples(root, "train")


def test_a_list_for_all_splits_needs_a_column_for_them(root):
    with pytest.raises(DataError, match=r"no column `split`; add one, or name the lists train\.csv"):
        find_samples(written(root / "all.csv"), "train")


@pytest.mark.parametrize(
    ("name", "message"), [("train.csv", "as CSV in UTF-8"), ("train.parquet", "as Parquet")]
)
def test_files_that_are_no_lists_are_refused(root, name, message):
    (root / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=message):
        find_samples(root, "train")


def test_without_pyarrow_parquet_asks_for_it(root, monkeypatch):
    (root / "train.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'swinkit\[parquet\]'"):
        find_samples(root, "train")
