"""Batches of labelled pictures: what an epoch holds, and that all of it repeats exactly."""

import pytest
import torch
from PIL import Image

from swinkit.data.augment import Augmentation
from swinkit.data.folders import find_labelled
from swinkit.data.preprocess import Preprocess
from swinkit.tasks.classification.data import FittedImages, evaluation_batches, training_batches

PLAIN = Augmentation(shift=0, mirror=0.0, cutmix=0.0)


@pytest.fixture
def data(tmp_path):
    """Ten pictures of two classes; the red of a picture is its number, from 0."""
    for i in range(10):
        folder = tmp_path / "train" / f"class{i % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / f"{i}.png")
    preprocess = Preprocess(crop=(8, 8), resize=8, mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3)
    return FittedImages(find_labelled(tmp_path, "train"), preprocess)


def epoch_of(data, number=0, batch_size=3, augment=PLAIN, seed=0):
    """The batches of one epoch."""
    return list(training_batches(data, batch_size, augment, seed=seed, epoch=number))


def numbers(batches):
    """Which pictures, in order."""
    return [round(red) for batch in batches for red in batch.pixels[:, 0, 0, 0].tolist()]


def test_an_epoch_has_full_batches_of_different_pictures_with_their_labels(data):
    batches = epoch_of(data)
    assert [len(batch.pixels) for batch in batches] == [3, 3, 3]
    assert len(set(numbers(batches))) == 9
    labels = [int(row.argmax()) for batch in batches for row in batch.targets]
    assert labels == [number % 2 for number in numbers(batches)]


def test_order_differs_between_epochs_and_seeds_and_repeats_exactly(data):
    first, second, other = (
        numbers(epoch_of(data)),
        numbers(epoch_of(data, number=1)),
        numbers(epoch_of(data, seed=1)),
    )
    assert first == numbers(epoch_of(data))
    assert len({tuple(first), tuple(second), tuple(other)}) == 3


def test_augmentation_does_not_depend_on_the_size_of_batches(data):
    augment = Augmentation(shift=2, mirror=0.5, cutmix=0.0)
    threes, singles = epoch_of(data, augment=augment), epoch_of(data, batch_size=1, augment=augment)
    pixels = torch.cat([batch.pixels for batch in singles])[:9]
    assert torch.equal(torch.cat([batch.pixels for batch in threes]), pixels)


def test_cutmix_ends_when_the_recipe_says(data):
    augment = Augmentation(shift=0, mirror=0.0, cutmix=1.0, cutmix_epochs=2)
    mixed = [
        any(((t > 0) & (t < 1)).any() for t in (b.targets for b in epoch_of(data, e, 10, augment)))
        for e in range(4)
    ]
    assert mixed[2:] == [False, False]
    assert any(mixed[:2])


def test_evaluation_sees_every_picture_once_in_order_also_the_last_few(data):
    batches = list(evaluation_batches(data, 4))
    assert [len(batch.pixels) for batch in batches] == [4, 4, 2]
    assert numbers(batches) == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]  # folder by folder
    assert torch.cat([batch.targets for batch in batches]).tolist() == [0] * 5 + [1] * 5
