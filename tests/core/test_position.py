"""The absolute embedding, and biases in half precision."""

import pytest
import torch
import torch.nn.functional as F

from swinkit.core.absolute_position import AbsolutePosition, resize_grid
from swinkit.core.position import ContinuousBias, PrintedBias


@pytest.mark.parametrize("size", [(5, 9), (12, 3), (6, 8), (6, 11)])
def test_the_absolute_embedding_is_resized_as_torch_resizes_in_two_dimensions(size):
    position = AbsolutePosition((6, 8), 4)
    torch.nn.init.normal_(position.embedding)
    x = torch.zeros(2, *size, 4)
    resized = F.interpolate(
        position.embedding.movedim(-1, 0)[None], size=size, mode="bicubic", align_corners=False
    )
    torch.testing.assert_close(
        position(x), resized.movedim(1, -1).expand(2, -1, -1, -1), atol=2e-6, rtol=1e-5
    )


def test_the_absolute_embedding_is_itself_on_its_own_grid():
    position = AbsolutePosition((2, 3, 4), 5)
    torch.nn.init.normal_(position.embedding)
    assert torch.equal(position(torch.zeros(1, 2, 3, 4, 5))[0], position.embedding)


@torch.no_grad()
def test_the_absolute_embedding_is_resized_anew_only_if_it_or_the_grid_changes(monkeypatch):
    resized = []

    def counted(grid, size):
        resized.append(size)
        return resize_grid(grid, size)

    monkeypatch.setattr("swinkit.core.absolute_position.resize_grid", counted)
    position, x = AbsolutePosition((6, 8), 4), torch.zeros(1, 5, 9, 4)
    torch.nn.init.normal_(position.embedding)
    first = position(x)
    assert torch.equal(position(x), first)
    assert resized == [(5, 9)]
    position.embedding.mul_(2)
    torch.testing.assert_close(position(x), 2 * first)
    position(torch.zeros(1, 12, 3, 4))
    assert resized == [(5, 9), (5, 9), (12, 3)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_continuous_bias_is_computed_in_full_precision(dtype):
    """Half precision weights, full precision offsets and products."""
    bias = ContinuousBias(2, reference=(8, 8), bound=16.0).to(dtype)
    full = ContinuousBias(2, reference=(8, 8), bound=16.0)
    full.load_state_dict(bias.state_dict())
    assert bias((16, 16)).dtype == torch.float32
    torch.testing.assert_close(bias((16, 16)), full((16, 16)))


def test_a_continuous_bias_is_computed_in_full_precision_under_autocast():
    bias = ContinuousBias(2, reference=(8, 8), bound=16.0)
    outside = bias((12, 12))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(bias((12, 12)), outside)


def test_the_bound_of_v2_holds():
    bias = ContinuousBias(1, reference=(4, 4), bound=16.0)
    torch.nn.init.constant_(bias.mlp[2].weight, 100.0)
    assert 0 <= bias((4, 4)).min() <= bias((4, 4)).max() <= 16


def test_without_a_bound_there_is_none():
    """Swin-MoE: the plain output of the MLP."""
    bias, bounded = (ContinuousBias(1, reference=(4, 4), bound=bound) for bound in (None, 16.0))
    bounded.load_state_dict(bias.state_dict())
    torch.testing.assert_close(16 * bias((4, 4)).sigmoid(), bounded((4, 4)))


def test_an_eighth_of_the_hidden_channels_of_a_printed_bias_is_dropped_in_training():
    bias = PrintedBias(1, axes=2).train()
    assert not torch.equal(bias((4, 4)), bias((4, 4)))
    assert torch.equal(bias.eval()((4, 4)), bias((4, 4)))
    assert bias.dropout.p == 0.125
