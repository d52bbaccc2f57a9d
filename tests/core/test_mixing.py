"""Swin-MLP's mixing: a grouped convolution over the tokens of a window, shifted by zeros."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from swinkit.core.borders import MIXING_BORDERS
from swinkit.core.mixing import WindowMixing
from swinkit.core.spec import BlockSpec, Size


def mixing(window: Size, shift: Size, border: str = "clip") -> WindowMixing:
    """Two heads of three channels, with random weights."""
    block = BlockSpec(
        stage=0, index=0, dim=6, num_heads=2, window=window, shift=shift, hidden=12, drop_path=0.0
    )
    mixer = WindowMixing(block, MIXING_BORDERS[border])
    torch.nn.init.normal_(mixer.weight)
    torch.nn.init.normal_(mixer.bias)
    return mixer


def as_convolution(mixer: WindowMixing, tokens: Tensor) -> Tensor:
    """(B, N, C) -> (B, N, C): one window, as Microsoft's code has it."""
    rows = tokens.unflatten(-1, (2, 3)).transpose(1, 2).flatten(1, 2)  # B, H * N, D
    mixed = F.conv1d(rows, mixer.weight.flatten(0, 1)[..., None], mixer.bias.flatten(), groups=2)
    return mixed.unflatten(1, (2, -1)).transpose(1, 2).flatten(2)


@torch.no_grad()
def test_windows_are_mixed_as_by_a_grouped_convolution():
    mixer = mixing((2, 3), (0, 0))
    x = torch.randn(2, 2, 6, 6)
    expected = [as_convolution(mixer, x[:, :, i : i + 3].flatten(1, 2)) for i in (0, 3)]
    found = mixer(x)
    for i, window in zip((0, 3), expected, strict=True):
        torch.testing.assert_close(found[:, :, i : i + 3].flatten(1, 2), window)


@torch.no_grad()
def test_a_shift_is_padding_with_window_less_shift_before_and_shift_after():
    """Along one axis of 8 tokens with windows of 4, shifted by 1: three windows, of 1, 4 and 3 tokens."""
    mixer = mixing((4,), (1,))
    x = torch.randn(2, 8, 6)
    padded = F.pad(x, (0, 0, 3, 1))
    expected = torch.cat([as_convolution(mixer, padded[:, i : i + 4]) for i in (0, 4, 8)], dim=1)
    torch.testing.assert_close(mixer(x), expected[:, 3:11])


@torch.no_grad()
def test_a_smaller_grid_is_padded_up_to_the_window_and_not_shifted():
    mixer = mixing((4,), (2,))
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(mixer(x), as_convolution(mixer, F.pad(x, (0, 0, 0, 1)))[:, :3])


@pytest.mark.parametrize(
    ("border", "grid", "shift"),
    [
        ("clip", (8, 8), (2, 2)),
        ("clip", (4, 8), (0, 2)),
        ("clip", (4, 3), (0, 0)),
        ("square", (8, 9), (2, 2)),
        ("square", (4, 8), (0, 0)),
        ("square", (3, 5), (0, 0)),
    ],
)
def test_one_window_along_an_axis_ends_its_shift_or_in_square_every_shift(border, grid, shift):
    layout = MIXING_BORDERS[border](grid, (4, 4), (2, 2))
    assert (layout.window, layout.shift) == ((4, 4), shift)


@torch.no_grad()
def test_the_two_borders_are_equal_on_square_grids_only():
    clip, square = mixing((4, 4), (2, 2)), mixing((4, 4), (2, 2), "square")
    square.load_state_dict(clip.state_dict())
    for grid, same in (((8, 8), True), ((4, 4), True), ((4, 8), False)):
        x = torch.randn(1, *grid, 6)
        assert torch.allclose(clip(x), square(x)) == same
