"""One model, any input: no resolution is kept, nothing is changed by running."""

import copy

import pytest
import torch

from .small import PIXELS, borders_of, dropouts, pixels, small

FAMILIES = sorted(PIXELS)


@pytest.mark.parametrize(
    ("family", "border"), [(family, border) for family in FAMILIES for border in borders_of(family)]
)
def test_odd_sizes_give_features_of_the_promised_strides_and_widths(family, border):
    model = small(family, border=border)
    features = model(pixels(family))
    for feature, width, strides in zip(features, model.spec.widths, model.spec.strides, strict=True):
        rounded = tuple(-(-size // stride) for size, stride in zip(PIXELS[family], strides, strict=True))
        assert feature.shape == (2, *rounded, width)
        assert feature.isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_small_input_between_two_large_ones_changes_nothing(family):
    """torchvision once lost its shift for ever, and transformers' V1 its window."""
    model = small(family)
    large, little = pixels(family), pixels(family, tuple(8 for _ in PIXELS[family]))
    before = model(large)
    model(little)
    assert all(torch.equal(a, b) for a, b in zip(before, model(large), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_forward_changes_neither_weights_nor_attributes(family):
    model = small(family)
    weights = copy.deepcopy(model.state_dict())
    attributes = [copy.deepcopy(plain(module)) for module in model.modules()]
    model.train()(pixels(family))
    model.eval()(pixels(family, tuple(12 for _ in PIXELS[family])))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in weights.items())
    assert attributes == [plain(module) for module in model.modules()]


@pytest.mark.parametrize("family", FAMILIES)
def test_there_are_no_buffers(family):
    """Nothing to forget on another device, and nothing unfilled after a meta-device construction."""
    assert dict(small(family).named_buffers()) == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_eval_twice_is_equal_with_every_dropout_on(family):
    model = small(family, **dropouts(family, 0.5))
    x = pixels(family)
    assert all(torch.equal(a, b) for a, b in zip(model(x), model(x), strict=True))
    model.train()
    assert not any(torch.equal(a, b) for a, b in zip(model(x), model(x), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_its_items(family):
    model, x = small(family), pixels(family)
    for whole, first in zip(model(x), model(x[:1]), strict=True):
        torch.testing.assert_close(whole[:1], first)


@pytest.mark.parametrize("size", [(32, 32), (4, 4), (1, 1), (8, 200)])
def test_a_stage_of_one_token_is_finite(size):
    """The published V2 divides 0 by 0 when a window shrinks to one token, as at 32 pixels."""
    model = small(
        "v2", depths=(2, 2, 2, 2), num_heads=(2, 2, 4, 4), window_sizes=((8, 8), (8, 8), (8, 8), (1, 1))
    )
    assert all(feature.isfinite().all() for feature in model(pixels(size=size)))


def plain(module: torch.nn.Module) -> dict:
    """Return a module's attributes but parameters, parts, mode, `balance` and memo."""
    answers = ("training", "balance", "memo")
    return {
        key: value for key, value in vars(module).items() if not key.startswith("_") and key not in answers
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("gradients", [True, False])
def test_no_images_have_no_features(family, gradients):
    """The last batch of a filter, for example, may be empty."""
    model = small(family)
    with torch.set_grad_enabled(gradients):
        features = model(pixels(family)[:0])
    for feature, width in zip(features, model.spec.widths, strict=True):
        assert feature.shape[0] == 0
        assert feature.shape[-1] == width
