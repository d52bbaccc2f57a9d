"""Labelled pictures in folders and zips: what is found, and what is said when it is not there."""

import zipfile

import pytest
import torch
from PIL import Image

from swinkit.data.folders import find_labelled
from swinkit.data.images import ImageError
from swinkit.errors import DataError


@pytest.fixture
def root(tmp_path):
    """train and test of two classes, with a stray text file and a picture outside of any class."""
    for split in ("train", "test"):
        for name in ("b", "a"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            Image.new("RGB", (4, 5), (9, 8, 7)).save(tmp_path / "set" / split / name / "0.PNG")
    (tmp_path / "set" / "train" / "a" / "notes.txt").write_text("no picture")
    Image.new("RGB", (4, 5)).save(tmp_path / "set" / "train" / "stray.png")
    return tmp_path / "set"


def zipped(root, top=""):
    """The same as a zip, below a folder `top`."""
    path = root.parent / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(root)}")
    return path


@pytest.mark.parametrize(
    "place", [lambda root: root, lambda root: root.parent, zipped, lambda root: zipped(root, "top/")]
)
def test_folders_and_zips_are_read_alike_also_inside_another_folder(root, place):
    images = find_labelled(place(root), "train")
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 1]
    assert torch.equal(
        images.load(0), torch.tensor([9, 8, 7], dtype=torch.uint8)[:, None, None].expand(3, 5, 4)
    )


def test_the_first_split_there_is_is_read_and_named(root):
    images = find_labelled(root, "val", "test")
    assert images.split == "test"
    assert all(name.startswith("test/") for name in images.names)


def test_labels_follow_the_order_of_classes_given(root):
    assert find_labelled(root, "train", classes=("b", "c", "a")).labels.tolist() == [2, 0]


def test_hidden_files_and_those_of_macos_are_passed_over(root):
    for folder in ("train/.checkpoints", "__MACOSX/train/a"):
        (root / folder).mkdir(parents=True)
        (root / folder / "._0.png").write_bytes(b"no picture")
        (root / folder / ".." / "1.png").write_bytes(b"no picture")
    assert find_labelled(root, "train").names == ("train/a/0.PNG", "train/b/0.PNG")


def test_a_class_may_be_called_as_a_split(root):
    (root / "train" / "test" / "deeper").mkdir(parents=True)
    Image.new("RGB", (4, 5)).save(root / "train" / "test" / "deeper" / "0.png")
    assert find_labelled(root, "train").classes == ("a", "b", "test")
    assert find_labelled(root, "test").classes == ("a", "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", "no such folder or zip"),
        (lambda root: root / "train" / "a" / "notes.txt", "neither a folder nor a zip"),
        (
            lambda root: root / "train" / "a",
            r"no pictures in train/CLASS/ \(expected SPLIT/CLASS/picture.jpg\)",
        ),
    ],
)
def test_what_is_not_there_is_explained(root, make, message):
    with pytest.raises(DataError, match=message):
        find_labelled(make(root), "train")


def test_a_picture_damaged_inside_a_zip_is_named(root):
    path = zipped(root)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x89PNG")  # the first picture; now its checksum is wrong
    content[at + 30] ^= 0xFF
    path.write_bytes(content)
    images = find_labelled(path, "test")  # first in the zip
    with pytest.raises(ImageError, match=r"set\.zip:.*0\.PNG: cannot be read from the zip"):
        images.load(0)
