"""Batches for a classifier: what is in them, and that it follows from (seed, epoch, sample) alone."""

import pytest
import torch

from swinkit.data.folders import find_folders, find_pictures
from swinkit.data.loader import InOrder, Loader
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError
from swinkit.tasks.classification.data import EvaluationCollate, TrainingCollate
from swinkit.tasks.classification.settings import Augmentation

from ..data.pictures import numbered

RAW = Preprocess.to_crop(
    crop=(8, 8), resize=8, mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3
)  # pixels stay in [0, 255]
NONE = {"scale": None, "flip": 0.0, "operations": 0, "erase": 0.0, "mixup": 0.0, "cutmix": 0.0}
PLAIN = Augmentation(**NONE)
STRONG = Augmentation(mixup=0.0, cutmix=0.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return find_folders(numbered(tmp_path_factory.mktemp("set"), 12), "train")


def read(samples):
    """All of them."""
    return [samples[i] for i in range(len(samples))]


def epoch_of(samples, settings, *, micro_batch=3, epoch=0, seed=0, workers=0):
    """Return the batches of one epoch."""
    collate = TrainingCollate(RAW, settings, seed, 2)
    loader = Loader(samples, collate, micro_batch=micro_batch, seed=0, workers=workers)
    return [batch for _, batch in loader.micro_batches(epoch)]


def test_pictures_come_with_their_own_labels(samples):
    for batch in epoch_of(samples, PLAIN):
        assert torch.equal(batch.targets, batch.pixels[:, 0, 0, 0].round().long() % 2)


def test_what_happens_to_a_picture_depends_on_neither_its_company_nor_the_workers(samples):
    whole = torch.cat([batch.pixels for batch in epoch_of(samples, STRONG)])
    for micro_batch, workers in ((1, 0), (4, 2)):
        batches = epoch_of(samples, STRONG, micro_batch=micro_batch, workers=workers)
        assert torch.equal(torch.cat([batch.pixels for batch in batches]), whole)


def test_it_differs_between_epochs_and_seeds_and_repeats_exactly(samples):
    prepared = [
        TrainingCollate(RAW, STRONG, seed, 2)(read(samples), epoch).pixels
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert torch.equal(prepared[0], prepared[1])
    assert not any(torch.equal(prepared[0], other) for other in prepared[2:])


def test_a_mixed_batch_has_the_labels_of_both_pictures_by_their_shares(samples):
    mixed = epoch_of(samples, Augmentation(**{**NONE, "mixup": 0.8}), micro_batch=2)
    plain = epoch_of(samples, PLAIN, micro_batch=2)
    for batch, whole in zip(mixed, plain, strict=True):
        first, second = whole.pixels[:, 0, 0, 0]
        share = (batch.pixels[0, 0, 0, 0] - second) / (first - second)
        expected = torch.zeros(2)
        expected[whole.targets[0]] += share
        expected[whole.targets[1]] += 1 - share
        torch.testing.assert_close(batch.targets[0], expected, atol=1e-4, rtol=0)


def test_what_is_erased_is_noise_in_a_rectangle_of_the_normalised_picture(samples):
    plain, noisy = (
        TrainingCollate(RAW, Augmentation(**{**NONE, "erase": erase}), 0, 2)(read(samples), 0).pixels
        for erase in (0.0, 1.0)
    )
    for before, after in zip(plain, noisy, strict=True):
        rows, columns = (before[0] != after[0]).nonzero(as_tuple=True)
        box = (slice(None), slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert (after[box] != before[box]).all()
        assert after[box].abs().max() < 5  # of pixels in [0, 255] only noise has this size
        after[box] = before[box]
        assert torch.equal(after, before)


def test_batches_are_mixed_otherwise_than_each_other_in_another_epoch_and_by_another_seed(samples):
    shares = [
        targets_of(samples, indices, epoch, seed)
        for indices in ([0, 6], [1, 7])  # of the same two classes
        for epoch in (0, 1)
        for seed in (0, 1)
    ]
    assert len(set(shares)) == 8
    assert targets_of(samples, [0, 6], 0, 0) == shares[0]


def targets_of(samples, indices, epoch, seed):
    """Return the first probability that the first picture of a batch is given."""
    collate = TrainingCollate(RAW, Augmentation(**{**NONE, "mixup": 0.8}), seed, 2)
    return collate([samples[i] for i in indices], epoch).targets[0, 0].item()


def test_mixing_ends_when_the_recipe_says(samples):
    settings = Augmentation(**{**NONE, "cutmix": 1.0, "mixing_epochs": 2})
    kinds = [{batch.targets.dtype for batch in epoch_of(samples, settings, epoch=e)} for e in range(4)]
    assert kinds == [{torch.float32}] * 2 + [{torch.int64}] * 2


def test_evaluation_is_of_every_picture_unchanged(samples):
    batches = list(InOrder(samples, EvaluationCollate(RAW), batch_size=5).batches())
    numbers = torch.cat([batch.pixels[:, 0, 0, 0] for batch in batches]).round().tolist()
    assert numbers == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]  # folder by folder
    assert torch.cat([batch.targets for batch in batches]).tolist() == [0] * 6 + [1] * 6


def test_plain_pictures_train_no_classifier(samples):
    plain = find_pictures(samples.root)
    with pytest.raises(DataError, match="needs labelled pictures"):
        EvaluationCollate(RAW)([plain[0]])
