"""Masked image modelling: what is masked is not seen, and only what is masked is scored."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import swinkit
from swinkit.tasks.simmim.losses import locally_normed, masked_l1
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking
from swinkit.weights.load import export_weights, load_weights
from tests.models.small import PIXELS, pixels, small, spec
from tests.weights.models import classifier, reconstructor


def mask_for(x: Tensor, model: SimMIM, share: float = 0.5) -> Tensor:
    """Return a random mask for the patches of `x`."""
    grid = [-(-size // p) for size, p in zip(x.shape[2:], model.backbone.spec.patch, strict=True)]
    return torch.rand(len(x), *grid) < share


@pytest.mark.parametrize("family", ["v1", "v2", "mlp", "video", "signal"])
@torch.no_grad()
def test_masked_pixels_are_reconstructed_and_not_seen(family: str):
    model = reconstructor(family)
    x = pixels(family)
    mask = mask_for(x, model)
    hidden = model.pixel_mask(mask, x)
    assert hidden.shape == (2, 1, *PIXELS[family])
    assert 0.3 < hidden.mean() < 0.7
    whole_patches = torch.where(hidden.bool(), torch.randn_like(x), x)
    assert model(x, mask).shape == x.shape
    assert torch.equal(model(x, mask), model(whole_patches, mask))
    assert not torch.equal(model(x, mask), model(x, ~mask))


@torch.no_grad()
def test_only_masked_pixels_are_scored():
    x, guess, mask = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[:, :, :4] = 1
    expected = (x - guess)[:, :, :4].abs().mean()
    torch.testing.assert_close(masked_l1(guess, x, mask), expected)


@torch.no_grad()
def test_targets_are_normed_by_the_pixels_around_each():
    x = torch.randn(2, 3, 12, 9)
    normed = locally_normed(x, 5)
    for row, column in ((0, 0), (6, 4), (11, 8), (1, 8)):
        around = x[:, :, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].flatten(2)
        expected = (x[:, :, row, column] - around.mean(-1)) / (around.var(-1) + 1e-6).sqrt()
        torch.testing.assert_close(normed[:, :, row, column], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_window_may_be_larger_than_the_picture():
    x = torch.randn(2, 3, 12, 9)
    expected = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(locally_normed(x, 47), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 2, 30), (1, 2, 6, 7, 8)])
def test_targets_of_any_number_of_axes_are_normed(shape: tuple[int, ...]):
    normed = locally_normed(torch.randn(shape), 5)
    assert normed.shape == shape
    assert normed.isfinite().all()


def test_a_window_makes_the_normed_pixels_the_target():
    model = reconstructor("v2")
    x = pixels("v2")
    mask = mask_for(x, model)
    plain = model.loss(x, mask)
    model.masking = Masking(target_window=5)
    normed = model.loss(x, mask)
    hidden = model.pixel_mask(mask, x)
    torch.testing.assert_close(normed, masked_l1(model(x, mask), locally_normed(x, 5), hidden))
    assert (plain - normed).abs() > 1e-3


def test_every_parameter_learns():
    model = reconstructor().train()
    x = pixels()
    model.loss(x, mask_for(x, model)).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_a_new_mask_token_is_small_and_random():
    token = SimMIM(small(embed_dim=96)).mask_token
    assert 0.01 < token.std() < 0.03


@pytest.mark.parametrize("dialect", ["microsoft-simmim", "transformers", "openmmlab"])
def test_a_file_of_pre_training_is_loaded_with_its_decoder(tmp_path: Path, dialect: str):
    model = reconstructor()
    torch.save({"model": export_weights(model, dialect)}, tmp_path / "pretrained.pth")
    loaded = swinkit.load(tmp_path / "pretrained.pth")
    assert isinstance(loaded, SimMIM)
    x = torch.randn(1, 3, 64, 64)  # windows divide all its grids, so that no border matters
    mask = mask_for(x, model)
    torch.testing.assert_close(loaded(x, mask), model(x, mask))


def test_a_classifier_takes_the_backbone_of_pre_training():
    model = classifier()
    report = load_weights(model, export_weights(reconstructor(), "microsoft-simmim"), head="new")
    assert {"mask_token", "head.decoder.weight", "head.decoder.bias"} == set(report.unused)
    assert set(report.reinitialised) == {"head.classifier.weight", "head.classifier.bias"}
    assert spec() == model.backbone.spec
