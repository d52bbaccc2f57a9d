"""Pictures that cannot be read: replaced and listed in training, up to a fraction; an error in validation."""

import csv
from dataclasses import fields

import pytest
import torch

from swinkit.data.corrupt import COLUMNS, CorruptSample, CorruptSamples, read_or_replace
from swinkit.data.folders import find_folders, find_pictures
from swinkit.data.images import ImageError
from swinkit.data.loader import MAX_BAD_FRACTION, InOrder, Loader
from swinkit.errors import DataError, EnvironmentProblem
from swinkit.settings.data import Data

from .pictures import numbered

BAD = ("train/class0/002.png", "train/class1/005.png")


def pixels(samples, epoch):
    """Collation: (B,) the numbers in the pictures."""
    read = list(samples)
    return torch.stack([sample.image[0, 0, 0] for sample in read]), [sample.id for sample in read]


@pytest.fixture
def root(tmp_path):
    """Ten pictures, two of them cut short."""
    root = numbered(tmp_path, 10)
    for name in BAD:
        (root / name).write_bytes((root / name).read_bytes()[:50])
    return root


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_picture_gives_way_to_one_of_its_class_always_the_same(root, workers):
    samples = find_folders(root, "train")
    seen = []
    for count in (0, workers):
        loader = Loader(samples, pixels, micro_batch=2, seed=0, workers=count, max_bad_fraction=0.2)
        batches = [batch for _, batch in loader.micro_batches(0)]
        seen.append({name: int(n) for numbers, ids in batches for n, name in zip(numbers, ids, strict=True)})
        assert {bad.id for bad in loader.bad.found.values()} == set(BAD)
        assert {bad.replaced_by.startswith("train/") for bad in loader.bad.found.values()} == {True}
    assert seen[0] == seen[1]
    assert seen[0][BAD[0]] in (0, 4, 6, 8)
    assert seen[0][BAD[1]] in (1, 3, 7, 9)


def test_plain_pictures_are_replaced_by_any_other(root):
    samples, bad = find_pictures(root), []
    index = list(samples.ids).index(BAD[0])
    found = read_or_replace(samples, index, samples.__getitem__, seed=0, epoch=0, corrupt=bad)
    assert (found.id, found.image.shape) == (BAD[0], (3, 8, 8))
    assert bad[0].id == BAD[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_beyond_the_stated_fraction_a_training_stops(root, workers):
    loader = Loader(
        find_folders(root, "train"), pixels, micro_batch=2, seed=0, workers=workers, max_bad_fraction=0.1
    )
    with pytest.raises(DataError, match=r"2 of 10 .* data\.max_bad_fraction=0\.1 .*00\d\.png"):
        list(loader.micro_batches(0))


def test_a_class_of_which_nothing_can_be_read_stops_the_training(root):
    for file in (root / "train" / "class0").iterdir():
        file.write_bytes(b"")
    loader = Loader(find_folders(root, "train"), pixels, micro_batch=2, seed=0, max_bad_fraction=1)
    with pytest.raises(DataError, match="5 replacements from the same class could not be read either"):
        list(loader.micro_batches(0))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_picture_in_validation_is_an_error_that_names_it(root, workers):
    prepared = InOrder(find_folders(root, "train"), pixels, batch_size=3, workers=workers)
    with pytest.raises(ImageError, match=r"002\.png: cannot be decoded"):
        list(prepared.batches())


def test_the_list_has_each_bad_picture_once_with_its_reason(root, tmp_path):
    loader = Loader(find_folders(root, "train"), pixels, micro_batch=2, seed=0, max_bad_fraction=0.5)
    loader.bad.listing = tmp_path / "bad_files.csv"
    before = sorted(root.rglob("*"))
    for epoch in range(3):
        list(loader.micro_batches(epoch))
    rows = list(csv.reader((tmp_path / "bad_files.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert {row[0] for row in rows[1:]} == set(BAD)
    assert len(rows) == 3
    assert all("cannot be decoded" in row[1] and row[2].startswith("train/class") for row in rows[1:])
    assert sorted(root.rglob("*")) == sorted([*before, tmp_path / "bad_files.csv"])


def test_no_bad_picture_is_no_reason_to_stop_even_where_none_is_allowed():
    bad = CorruptSamples(10, 0.0)
    bad.add([])
    assert bad.news() == 0


def test_the_list_keeps_what_an_earlier_part_of_the_training_wrote(tmp_path):
    path = tmp_path / "bad_files.csv"
    for name, reason in (("a.png", "old"), ("b.png", "x"), ("a.png", "new")):
        CorruptSamples(10, 1.0, listing=path).add([CorruptSample(name, reason, "c.png")])
    assert path.read_text().splitlines() == ["id,reason,replaced_by", "a.png,new,c.png", "b.png,x,c.png"]


def test_a_name_that_is_no_text_is_the_same_when_the_list_is_read_again(tmp_path):
    """Else going on would count it a second time."""
    path, strange = tmp_path / "bad_files.csv", CorruptSample("\udcff.png", "cut short at \udcfe", "c.png")
    CorruptSamples(10, 1.0, listing=path).add([strange])
    again = CorruptSamples(10, 1.0, listing=path)
    again.meet([path])
    again.add([strange])
    assert list(again.found) == [strange.id]
    assert again.found[strange.id] == strange


def test_what_was_too_much_is_listed_before_the_training_stops(root, tmp_path):
    loader = Loader(find_folders(root, "train"), pixels, micro_batch=10, seed=0, max_bad_fraction=0.0)
    loader.bad.listing = tmp_path / "bad_files.csv"
    with pytest.raises(DataError, match="2 of 10"):
        list(loader.micro_batches(0))
    assert all(name in loader.bad.listing.read_text() for name in BAD)


def test_a_list_that_cannot_be_written_is_told(tmp_path):
    bad = CorruptSamples(10, 1.0, listing=tmp_path / "none" / "bad_files.csv")
    with pytest.raises(EnvironmentProblem, match=r"bad_files\.csv cannot be written \(No such file"):
        bad.add([CorruptSample("a.png", "", "b.png")])


def test_recipes_allow_what_the_check_tells():
    default = {field.name: field.default for field in fields(Data)}["max_bad_fraction"]
    assert default == MAX_BAD_FRACTION
