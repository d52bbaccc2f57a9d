"""Batches for masked pre-training: random views and masks that follow from (seed, epoch, id)."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swinkit.data.folders import find_folders
from swinkit.data.loader import InOrder, Loader
from swinkit.data.preprocess import Preprocess
from swinkit.data.sample import Sample
from swinkit.errors import UsageError
from swinkit.recipes.catalogue import find
from swinkit.tasks.classification.settings import Augmentation
from swinkit.tasks.simmim.data import MaskingCollate
from swinkit.tasks.simmim.settings import VIEW, Masking
from tests.data.pictures import numbered

FIT = Preprocess.to_crop(crop=(16, 24), resize=24, interpolation="bilinear")
TRAINING = MaskingCollate(preprocess=FIT, masking=Masking(patch=8), patch=(4, 4), seed=3, augmentation=VIEW)
WATCHED = MaskingCollate(preprocess=FIT, masking=Masking(patch=8), patch=(4, 4), seed=3)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory):
    root: Path = numbered(tmp_path_factory.mktemp("set"), 12, side=40)
    return find_folders(root, "train")


def striped(*indices: int) -> list[Sample]:
    """Return samples of one picture, (3, 48, 64), whose columns are darker to brighter."""
    picture = (torch.arange(64) * 4).to(torch.uint8).expand(3, 48, 64)
    return [Sample("ab"[index], picture, {}) for index in indices]


def test_a_batch_has_normalised_pixels_and_masks_of_patches(samples):
    batch = WATCHED([samples[2], samples[0]], 0)
    assert (batch.pixels.shape, batch.pixels.dtype) == ((2, 3, 16, 24), torch.float32)
    assert (batch.mask.shape, batch.mask.dtype) == ((2, 4, 6), torch.bool)
    assert batch.mask.sum((1, 2)).tolist() == [16, 16]  # 4 of 6 cells, each of 4 patches
    expected = FIT(samples[2].image)
    assert torch.equal(batch.pixels[0], expected)


def test_a_sample_looks_alike_in_any_company_and_otherwise_in_another_epoch_or_run():
    together, alone, later = (
        TRAINING(striped(*indices), epoch) for indices, epoch in (([0, 1], 5), ([1], 5), ([1], 6))
    )
    assert torch.equal(together.pixels[1], alone.pixels[0])
    assert torch.equal(together.mask[1], alone.mask[0])
    elsewhere = replace(TRAINING, seed=4)(striped(1), 5)
    for other in (later, elsewhere):
        assert not torch.equal(other.pixels, alone.pixels)
        assert not torch.equal(other.mask, alone.mask)
    assert not torch.equal(together.pixels[0], together.pixels[1])


def test_views_show_at_least_two_thirds_of_the_picture_and_every_second_is_mirrored():
    pixels = torch.cat([TRAINING(striped(0), epoch).pixels for epoch in range(200)])
    shown = FIT.as_images(pixels).float()[:, 0, 0]
    widths = (shown[:, -1] - shown[:, 0]) / 4 / 23 * 24
    assert 80 < (widths < 0).sum() < 120
    lowest = (0.67 * 48 * 64 * 3 / 4) ** 0.5  # pixels, of the flattest of the smallest views
    assert widths.abs().min() > lowest - 1.5
    assert widths.abs().max() < 64 + 1.5


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(samples, workers: int):
    def first(loader: Loader):
        return next(batch for _, batch in loader.micro_batches(1))

    alone, helped = (first(Loader(samples, TRAINING, micro_batch=4, seed=3, workers=n)) for n in (0, workers))
    assert torch.equal(alone.pixels, helped.pixels)
    assert torch.equal(alone.mask, helped.mask)


def test_validation_hides_the_same_of_a_picture_every_time(samples):
    one, again = (list(InOrder(samples, WATCHED, batch_size=5).batches()) for _ in range(2))
    assert [len(batch.pixels) for batch in one] == [5, 5, 2]
    assert all(torch.equal(a.mask, b.mask) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0].mask[0], one[0].mask[1])


def test_what_only_classifiers_have_is_refused():
    with pytest.raises(UsageError, match=r"augmentation is 'Augmentation'; it must be an ImageAugmentation"):
        replace(find("simmim-swin-b-w6-192"), augmentation=Augmentation(mixup=0))


def test_masks_that_fit_no_model_are_refused_before_the_first_batch():
    with pytest.raises(UsageError, match=r"masking.patch is 32"):
        MaskingCollate(preprocess=FIT, masking=Masking(patch=32), patch=(4, 4), seed=0)
