"""`data.check` finds what would spoil a training, and says whether it must be mended first."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swinkit.data.check import duplicates, find_splits, make_report
from swinkit.data.scan import Reading, scan
from swinkit.errors import DataError

from .pictures import numbered


def checked(path: Path, workers: int = 0):
    """Return the report."""
    splits, problems = find_splits(path)
    found = [reading for samples in splits for reading in scan(samples, workers)]
    return make_report(path, splits, found, problems)


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
        "version": 1,
        "path": str(root),
        "layout": "folders",
        "evidence": "train/class0/000.png",
        "splits": {
            "train": {
                "pictures": 6,
                "classes": {"class0": 3, "class1": 3},
                "sizes": {"height": [8, 8, 8], "width": [8, 8, 8], "ratio": [1, 1, 1]},
                "shorter_sides": {"8 to 15": 6},
                "shapes": {"square": 6},
                "modes": {"RGB": 6},
                "turned": 0,
            },
            "val": {
                "pictures": 3,
                "classes": {"class0": 2, "class1": 1},
                "sizes": {"height": [9, 9, 9], "width": [9, 9, 9], "ratio": [1, 1, 1]},
                "shorter_sides": {"8 to 15": 3},
                "shapes": {"square": 3},
                "modes": {"RGB": 3},
                "turned": 0,
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


def test_many_groups_take_no_longer_each_than_few():
    """By how often pictures are compared, which takes no clock."""
    compared = 0

    class Counted(Reading):
        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = Reading.__hash__

    pairs = [(Counted("train", f"{i}", "a", None, digest=str(i)), i) for i in range(300) for _ in range(2)]
    (problem,) = (each for each in duplicates([reading for reading, _ in pairs]) if each.kind == "duplicate")
    assert len(problem.groups) == 300
    assert compared == 0


def test_classes_that_are_empty_missing_or_unknown_block(root):
    (root / "train" / "nothing").mkdir()
    (root / "val" / "nothing").mkdir()
    (root / "train" / "only").mkdir()
    shutil.copytree(root / "val" / "class0", root / "val" / "strange")
    (root / "val" / "strange" / "000.png").unlink()
    report = checked(root)
    told = {problem.message for problem in report.problems if problem.blocking}
    assert told >= {
        "train has no pictures of `nothing`, `only`; add some, or take the class out of every split",
        "val has no pictures of `nothing`; add some, or take the class out of every split",
        "val has no pictures of `only`, train has; add some, or take the class out of every split",
        "val has pictures of `strange`, train has none; add some to it, or take them out",
    }


def test_a_list_that_cannot_be_read_is_a_problem_beside_what_can(root):
    (root / "test.csv").write_text("file,label\n")
    report = checked(root)
    assert kinds(report) == [("unreadable", True)]
    assert "no column `path`" in report.problems[0].message
    assert set(report.counts) == {"train", "val"}


def test_sizes_shapes_and_how_pictures_are_stored_are_counted(root):
    turned = Image.Exif()
    turned[0x0112] = 6
    folder = root / "train" / "class0"
    Image.new("RGB", (100, 50)).save(folder / "a.jpg", exif=turned)
    Image.new("L", (50, 60)).save(folder / "b.jpg")
    Image.new("RGBA", (40, 33)).save(folder / "c.png", exif=turned)
    Image.new("I;16", (33, 33)).save(folder / "d.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "e.tif", exif=turned)
    (folder / "f.png").write_bytes(png_of_16_bits())
    found = checked(root).to_json()["splits"]["train"]
    assert found["sizes"] == {"height": [3, 8, 100], "width": [2, 8, 50], "ratio": [0.5, 1, 1]}
    assert found["shorter_sides"] == {"2 to 3": 1, "4 to 7": 0, "8 to 15": 7, "16 to 31": 0, "32 to 63": 4}
    assert found["shapes"] == {"1:2 to 3:4": 2, "3:4 to 1:1": 2, "square": 8}
    assert found["modes"] == {"RGB": 8, "L": 1, "RGBA": 1, "I;16": 1, "RGB;16": 1}
    assert found["turned"] == 3


def png_of_16_bits():
    """Two by three pixels of three channels of 16 bits, which Pillow reads but does not write."""
    rows = b"".join(b"\0" + bytes(range(12)) for _ in range(3))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 3, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_copies_that_were_compressed_again_are_notes(root):
    skimage = pytest.importorskip("skimage.data")
    photograph = Image.fromarray(skimage.coffee())
    photograph.save(root / "train" / "class0" / "a.png")
    photograph.save(root / "train" / "class0" / "b.jpg", quality=90)
    Image.fromarray(skimage.chelsea()).save(root / "train" / "class1" / "a.png")
    Image.fromarray(skimage.chelsea()).resize((224, 224)).save(root / "val" / "class1" / "b.jpg")
    report = checked(root)
    assert kinds(report) == [("possible leak", False), ("near duplicate", False)]
    assert report.problems[0].groups == (("train/class1/a.png", "val/class1/b.jpg"),)
    assert report.problems[1].groups == (("train/class0/a.png", "train/class0/b.jpg"),)


def test_a_set_to_evaluate_on_needs_no_training_pictures(root):
    shutil.rmtree(root / "train")
    assert kinds(checked(root)) == [("missing split", False)]


def test_a_list_need_not_tell_of_every_split(root):
    rows = [
        f"{split}/class{c}/00{i}.png,{c},{split}" for split in ("train", "val") for c, i in ((0, 0), (1, 1))
    ]
    (root / "all.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    report = checked(root / "all.csv")
    assert report.problems == ()
    assert {split: sum(counts.values()) for split, counts in report.counts.items()} == {"train": 2, "val": 2}


def test_a_list_that_tells_of_no_known_split_is_told(root):
    (root / "all.csv").write_text("path,label,split\ntrain/class0/000.png,a,mine\n")
    with pytest.raises(DataError, match="no data set: looked for train, val"):
        find_splits(root / "all.csv")


def test_files_of_other_formats_are_counted(root):
    """As pictures that nobody would learn from."""
    for i in range(3):
        (root / "train" / "class0" / f"{i}.gif").write_bytes(b"GIF89a")
    (root / "val" / "class1" / "list").write_text("names")
    (root / "readme.txt").write_text("beside the splits")
    (problem,) = checked(root).problems
    assert (problem.kind, problem.blocking) == ("left out", False)
    assert problem.message == (
        "files such as train/class0/0.gif are no pictures, and left out: 3 .gif, 1 without an ending"
    )


def test_a_single_class_is_told(root):
    for split in ("train", "val"):
        shutil.rmtree(root / split / "class1")
    assert kinds(checked(root)) == [("one class", False)]


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
        find_splits(root.parent / place)
