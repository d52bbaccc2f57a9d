"""Labelled pictures in folders and zips: what is found, and what is said when it is not there."""

import os
import shutil
import zipfile

import pytest
import torch
from PIL import Image

from swinkit.data.dataset import require_every_class
from swinkit.data.find_dataset import find_samples
from swinkit.data.folders import find_folders, find_pictures, list_names, open_archive
from swinkit.data.images import ImageError
from swinkit.errors import DataError

from .layouts import zipped
from .pictures import picture


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


def test_a_zip_may_spell_its_members_from_where_it_was_made(root):
    path = root.parent / "dotted.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("./train/a/0.png", (root / "train" / "a" / "0.PNG").read_bytes())
    samples = find_folders(path, "train")
    assert samples.classes == ("a",)
    assert samples[0].image[:, 0, 0].tolist() == [9, 8, 7]


@pytest.mark.parametrize(
    "place", [lambda root: root, lambda root: root.parent, zipped, lambda root: zipped(root, "top/")]
)
def test_folders_and_zips_are_read_alike_also_inside_another_folder(root, place):
    images = find_folders(place(root), "train")
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 1]
    assert torch.equal(
        images[0].image, torch.tensor([9, 8, 7], dtype=torch.uint8)[:, None, None].expand(3, 5, 4)
    )


def test_the_first_split_there_is_is_read_and_named(root):
    images = find_folders(root, "val", "test")
    assert images.split == "test"
    assert all(name.startswith("test/") for name in images.ids)


def test_labels_follow_the_order_of_classes_given(root):
    assert find_folders(root, "train", classes=("b", "c", "a")).labels.tolist() == [2, 0]


def test_hidden_files_and_those_of_macos_are_passed_over(root):
    for folder in ("train/.checkpoints", "__MACOSX/train/a"):
        (root / folder).mkdir(parents=True)
        (root / folder / "._0.png").write_bytes(b"no picture")
        (root / folder / ".." / "1.png").write_bytes(b"no picture")
    assert find_folders(root, "train").ids == ("train/a/0.PNG", "train/b/0.PNG")


def test_a_class_may_be_called_as_a_split(root):
    (root / "train" / "test" / "deeper").mkdir(parents=True)
    Image.new("RGB", (4, 5)).save(root / "train" / "test" / "deeper" / "0.png")
    assert find_folders(root, "train").classes == ("a", "b", "test")
    assert find_folders(root, "test").classes == ("a", "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "nowhere", "no such folder, zip or list"),
        (lambda root: root / "train" / "a" / "notes.txt", "neither a folder nor a zip"),
        (
            lambda root: root / "train" / "a",
            r"no split train \(expected SPLIT/CLASS/picture.jpg, .*; found `0.PNG`",
        ),
    ],
)
def test_what_is_not_there_is_explained(root, make, message):
    with pytest.raises(DataError, match=message):
        find_folders(make(root), "train")


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_in_a_split_itself_are_told_to_go_into_folders(tmp_path, packed):
    for split in ("train", "test"):
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "a.png").write_bytes(picture(0))
    data = zipped(tmp_path / "set") if packed else tmp_path / "set"
    for splits, found in ((("train",), "train"), (("val", "test"), "test")):
        message = (
            f"{data}: pictures in {found} itself, such as `{found}/a.png`, have no class; put them into "
            f"folders, {found}/CLASS/picture.jpg, or list them in {found}.csv, with the columns path and "
            "label"
        )
        with pytest.raises(DataError) as caught:
            find_samples(data, *splits)
        assert str(caught.value) == message


def test_who_gives_a_split_is_told_to_give_its_parent(root):
    with pytest.raises(DataError, match=f"this is a split itself, so give its parent, {root}$"):
        find_folders(root / "train", "train", "val")


def test_who_gives_the_folder_of_a_list_for_all_splits_is_told_to_give_the_list(tmp_path):
    (tmp_path / "all.csv").write_text("path,label,split\n")
    with pytest.raises(DataError, match=f"is given as a file: {tmp_path / 'all.csv'}$"):
        find_folders(tmp_path, "train")


def test_a_picture_damaged_inside_a_zip_is_named(root):
    path = zipped(root)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x89PNG")  # the first picture; now its checksum is wrong
    content[at + 30] ^= 0xFF
    path.write_bytes(content)
    images = find_folders(path, "test")  # first in the zip
    with pytest.raises(ImageError, match=r"set\.zip:.*0\.PNG: cannot be read from the zip"):
        _ = images[0]


def test_an_empty_class_is_a_class_and_training_refuses_it(root):
    (root / "train" / "c").mkdir()
    images = find_folders(root, "train")
    assert images.classes == ("a", "b", "c")
    with pytest.raises(DataError, match=r"train has no pictures of `c`; add some, or take the class out"):
        require_every_class(images)


def test_plain_pictures_need_no_classes(root):
    assert find_pictures(root, "train").ids == ("train/a/0.PNG", "train/b/0.PNG", "train/stray.png")
    everything = find_pictures(root, "nowhere")
    assert (len(everything), everything.labels, everything.split) == (5, None, "all")
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        find_pictures(root / "empty", "train")


def test_plain_pictures_belong_to_the_outermost_split_around_them(root):
    """A class may be called as a split, and its pictures are not held out by that."""
    (root / "train" / "a").rename(root / "train" / "val")
    shutil.rmtree(root / "test")
    assert len(find_pictures(root, "train")) == 3
    assert find_pictures(root, "val", "test").split == "all"


@pytest.mark.parametrize("place", [lambda root: root, zipped])
def test_a_fingerprint_tells_pictures_labels_and_names_apart_but_not_places(root, place, tmp_path_factory):
    before = find_folders(place(root), "train").fingerprint
    copy = tmp_path_factory.mktemp("elsewhere") / "set"
    shutil.copytree(root, copy)
    assert find_folders(place(copy), "train").fingerprint == before
    Image.new("RGB", (40, 50), (9, 8, 7)).save(copy / "train" / "a" / "0.PNG")
    changed = find_folders(place(copy), "train").fingerprint
    (copy / "train" / "a" / "0.PNG").rename(copy / "train" / "a" / "1.PNG")
    assert len({before, changed, find_folders(place(copy), "train").fingerprint}) == 3


def test_a_zip_is_opened_anew_by_another_process_and_when_it_changes(root, monkeypatch):
    """Two processes that share an open file share one position in it."""
    path = zipped(root)
    first = open_archive(path)
    assert open_archive(path) is first
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        assert open_archive(path) is not first
    os.utime(path, ns=(1, 1))
    assert open_archive(path) is not first


def test_links_that_lead_back_are_followed_no_further(root, tmp_path):
    before = list_names(root)
    (root / "train" / "a" / "back").symlink_to(root / "train")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "round").symlink_to(root / "train")
    (root / "train" / "a" / "out").symlink_to(tmp_path / "elsewhere")
    found = [name for name in list_names(root) if not name.endswith("out/")]
    assert sorted(found) == sorted(before)
