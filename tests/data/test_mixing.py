"""Mixup and CutMix of whole batches, as timm's `Mixup` mixes them."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.tasks.classification.losses import cross_entropy
from swinkit.tasks.classification.mixup import UNMIXED, Mix, cutmix_box, draw_mix
from swinkit.tasks.classification.settings import Augmentation

SIZE = (12, 20)


def chosen(settings, count=4000):
    """So many mixes, from one stream."""
    stream = random.Random(0)
    return [draw_mix(settings, 0, SIZE, stream) for _ in range(count)]


@given(share=st.floats(0, 1), seed=st.integers(0, 500))
def test_cutmix_gives_labels_their_share_of_the_pixels(share, seed):
    mix = cutmix_box(SIZE, share, random.Random(seed))
    images = torch.stack([torch.zeros(1, *SIZE), torch.ones(1, *SIZE)])
    others = mix.pixels(images)[0].mean().item()
    assert mix.share == pytest.approx(1 - others)
    torch.testing.assert_close(mix.targets(torch.eye(2))[0], torch.tensor([1 - others, others]))


def test_mixing_gives_timms_pixels_and_targets(monkeypatch):
    from timm.data.mixup import Mixup

    images, labels = torch.rand(6, 3, *SIZE), torch.tensor([0, 2, 1, 1, 3, 0])
    for share in (0.3, 0.85):
        theirs = Mixup(mixup_alpha=0.8, cutmix_alpha=0.0, num_classes=4, label_smoothing=0.0)
        monkeypatch.setattr(theirs, "_params_per_batch", lambda share=share: (share, False))
        pixels, targets = theirs(images.clone(), labels)
        mix = Mix(share, None)
        torch.testing.assert_close(mix.pixels(images), pixels)
        torch.testing.assert_close(mix.targets(torch.eye(4)[labels]), targets)


@given(share=st.floats(0, 1), y=st.integers(0, SIZE[0] - 1), x=st.integers(0, SIZE[1] - 1))
def test_boxes_are_timms_for_the_same_middle(share, y, x):
    from timm.data.mixup import rand_bbox

    stream, places = random.Random(0), iter([y, x])
    stream.randrange = lambda side: next(places)
    middles = iter([y, x])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.random, "randint", lambda *_, **__: next(middles))
        assert cutmix_box(SIZE, share, stream).box == tuple(
            int(edge) for edge in rand_bbox((1, 1, *SIZE), share)
        )


def test_smoothing_in_the_loss_is_timms_smoothing_of_mixed_targets():
    from timm.data.mixup import mixup_target

    logits, labels = torch.randn(4, 5), torch.tensor([0, 4, 2, 2])
    theirs = mixup_target(labels, 5, lam=0.7, smoothing=0.1)
    expected = torch.sum(-theirs * logits.log_softmax(-1), dim=-1).mean()
    targets = Mix(0.7, None).targets(torch.eye(5)[labels])
    torch.testing.assert_close(cross_entropy(logits, targets, 0.1), expected)


@pytest.mark.parametrize(
    ("settings", "mixed", "cut"),
    [
        (Augmentation(), 1.0, 0.5),
        (Augmentation(mixing=0.4, switch=0.25), 0.4, 0.1),
        (Augmentation(mixup=0.0, mixing=0.5), 0.5, 0.5),
        (Augmentation(cutmix=0.0), 1.0, 0.0),
        (Augmentation(mixup=0.0, cutmix=0.0), 0.0, 0.0),
        (Augmentation(mixing_epochs=0), 0.0, 0.0),
    ],
)
def test_batches_are_mixed_as_often_as_the_settings_say(settings, mixed, cut):
    mixes = chosen(settings)
    assert sum(mix is not UNMIXED for mix in mixes) / len(mixes) == pytest.approx(mixed, abs=0.03)
    assert sum(mix.box is not None for mix in mixes) / len(mixes) == pytest.approx(cut, abs=0.03)


def test_shares_are_distributed_as_timms():
    from timm.data.mixup import Mixup

    np.random.seed(0)
    theirs = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, num_classes=4)
    drawn = [theirs._params_per_batch() for _ in range(4000)]
    mixes = chosen(Augmentation())
    quantiles = torch.linspace(0.1, 0.9, 9).double()
    ours = torch.tensor([mix.share for mix in mixes if mix.box is None]).double().quantile(quantiles)
    expected = torch.tensor([share for share, cut in drawn if not cut]).double().quantile(quantiles)
    torch.testing.assert_close(ours, expected, atol=0.05, rtol=0)


def test_boxes_and_their_shares_are_distributed_as_timms():
    from scipy.stats import ks_2samp
    from timm.data.mixup import Mixup

    np.random.seed(0)
    theirs = Mixup(mixup_alpha=0.0, cutmix_alpha=1.0, num_classes=4)
    labels, images = torch.tensor([0, 1]), torch.stack([torch.zeros(1, *SIZE), torch.ones(1, *SIZE)])
    mixes = [mix for mix in chosen(Augmentation(mixup=0.0), 600) if mix.box is not None]
    found = [[], []]
    for mix in mixes:
        found[0].append(measured(mix.pixels(images)[0, 0], mix.targets(torch.eye(2))[0, 1]))
        pixels, targets = theirs(images.clone(), labels)
        smoothed = targets[0, 1]  # 0.1 of the labels are spread over all four classes
        found[1].append(measured(pixels[0, 0], (smoothed - 0.025) / 0.9))
    for ours, expected in zip(torch.tensor(found[0]).T, torch.tensor(found[1]).T, strict=True):
        assert ks_2samp(ours.numpy(), expected.numpy()).pvalue > 1e-3


def measured(mixed, target):
    """Share of the pixels and of the label that are the partner's, and where the middle of the box is."""
    rows, columns = (mixed == 1).nonzero(as_tuple=True)
    middle = [part.double().mean().item() if len(part) else 0.0 for part in (rows, columns)]
    return [mixed.mean().item(), round(float(target), 5), *middle]
