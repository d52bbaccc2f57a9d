"""`data.check` finds what would spoil a training, and says whether it must be mended first."""

import shutil
from pathlib import Path

import pytest

from swinkit.data.check import readings, report_on, splits_of
from swinkit.errors import DataError

from .pictures import numbered


def checked(path: Path, workers: int = 0):
    """The report."""
    splits, problems = splits_of(path)
    found = [reading for samples in splits for reading in readings(samples, workers)]
    return report_on(path, splits, found, problems)


@pytest.fixture
def root(tmp_path):
    """Six pictures to train on; three others to watch, of another size."""
    numbered(tmp_path / "set", 6)
    numbered(tmp_path / "set", 3, "val", side=9)
    return tmp_path / "set"


def kinds(report):
    """Kind of each problem, and whether it blocks."""
    return [(problem.kind, problem.blocking) for problem in report.problems]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sound_set_is_counted_and_measured(root, workers):
    report = checked(root, workers)
    assert report.to_json() == {
        "path": str(root),
        "layout": "folders",
        "evidence": "train/class0/000.png",
        "splits": {
            "train": {
                "pictures": 6,
                "classes": {"class0": 3, "class1": 3},
                "sizes": {"height": [8, 8, 8], "width": [8, 8, 8]},
            },
            "val": {
                "pictures": 3,
                "classes": {"class0": 2, "class1": 1},
                "sizes": {"height": [9, 9, 9], "width": [9, 9, 9]},
            },
        },
        "problems": [],
        "blocking": False,
    }


def test_corrupt_pictures_are_named_with_the_reason_split_by_split(root):
    (root / "train" / "class0" / "000.png").write_bytes(b"")
    (root / "val" / "class0" / "002.png").write_bytes(b"no picture")
    report = checked(root)
    assert kinds(report) == [("corrupt", True), ("corrupt", True)]
    assert report.problems[0].groups == (("train/class0/000.png: the file is empty",),)
    assert "1 of 3 pictures of val cannot be read (evaluation allows none)" in report.problems[1].message
    assert len(report.sizes["train"]) == 5


def test_few_corrupt_pictures_do_not_stop_a_training(root, monkeypatch):
    monkeypatch.setattr("swinkit.data.check.MAX_BAD_FRACTION", 0.2)
    (root / "train" / "class0" / "000.png").write_bytes(b"")
    assert kinds(checked(root)) == [("corrupt", False)]


def test_a_leak_is_found_by_its_pixels_whatever_it_is_called(root):
    shutil.copy(root / "train" / "class1" / "003.png", root / "val" / "class1" / "other.png")
    report = checked(root)
    assert kinds(report) == [("leak", True)]
    assert report.problems[0].groups == (("train/class1/003.png", "val/class1/other.png"),)
    assert "(1 of val)" in report.problems[0].message


def test_duplicates_and_contradictions_are_notes(root):
    shutil.copy(root / "train" / "class1" / "003.png", root / "train" / "class1" / "9.png")
    shutil.copy(root / "train" / "class1" / "005.png", root / "train" / "class0" / "9.png")
    report = checked(root)
    assert kinds(report) == [("contradiction", False), ("duplicate", False)]
    assert report.problems[0].groups == (("train/class0/9.png", "train/class1/005.png"),)
    assert report.problems[1].groups == (("train/class1/003.png", "train/class1/9.png"),)


def test_classes_that_are_empty_missing_or_unknown_block(root):
    (root / "train" / "nothing").mkdir()
    (root / "val" / "nothing").mkdir()
    (root / "train" / "only").mkdir()
    shutil.copytree(root / "val" / "class0", root / "val" / "strange")
    (root / "val" / "strange" / "000.png").unlink()
    report = checked(root)
    told = {problem.message for problem in report.problems if problem.blocking}
    assert told >= {
        "train has no pictures of nothing",
        "val has no pictures of nothing",
        "val has no pictures of only, train has",
        "val has pictures of strange, train has none",
    }


def test_a_list_that_cannot_be_read_is_a_problem_beside_what_can(root):
    (root / "test.csv").write_text("file,label\n")
    report = checked(root)
    assert kinds(report) == [("unreadable", True)]
    assert "no column `path`" in report.problems[0].message
    assert set(report.counts) == {"train", "val"}


def test_nothing_is_written_into_the_folder(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    checked(root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "no such file or folder"), ("set/train/class0", "no data set: looked for train, val")],
)
def test_a_wrong_folder_is_told(root, place, message):
    with pytest.raises(DataError, match=message):
        splits_of(root.parent / place)
