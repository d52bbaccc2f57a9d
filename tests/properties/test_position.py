"""Position bias: pairs, smaller windows, log-spaced offsets, against loops and coordinates."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from swinkit.core.position import (
    ContinuousBias,
    LearnedBias,
    PrintedBias,
    log_offsets,
    pairs,
    printed_offsets,
    take_leading,
    take_middle,
)
from swinkit.core.spec import Size

from .geometry import places_of

AXES = {1: 7, 2: 4, 3: 3}  # longest window drawn


@st.composite
def windows(draw: st.DrawFn) -> tuple[Size, Size]:
    """Return a window, and one no larger that it is clipped to."""
    n = draw(st.sampled_from(sorted(AXES)))
    full = tuple(draw(st.integers(1, AXES[n])) for _ in range(n))
    return full, tuple(draw(st.integers(1, w)) for w in full)


def offsets(window: Size) -> list[list[Size]]:
    """For each query and key of a window, query - key on every axis."""
    tokens = list(itertools.product(*[range(w) for w in window]))
    return [[tuple(q - k for q, k in zip(query, key, strict=True)) for key in tokens] for query in tokens]


def by_coordinates(table: Tensor, full: Size, window: Size) -> Tensor:
    """(R, H) -> (H, N, N) by the plain loop of the paper: the row of an offset, first axis slowest."""
    rows = table.unflatten(0, tuple(2 * w - 1 for w in full))
    index = [
        [rows[tuple(o + w - 1 for o, w in zip(offset, full, strict=True))] for offset in row]
        for row in offsets(window)
    ]
    return torch.stack([torch.stack(row) for row in index]).permute(2, 0, 1)


def wrong_share(full: Size, window: Size) -> float:
    """Return the share of pairs to which `take_leading` gives the row of another offset."""
    table = torch.arange(math.prod(2 * w - 1 for w in full), dtype=torch.float64)[:, None]
    return (take_leading(table, full, window) != take_middle(table, full, window)).double().mean().item()


@given(windows())
@settings(max_examples=25)
def test_pairs_equals_a_plain_loop(drawn):
    full, _ = drawn
    table = torch.randn(math.prod(2 * w - 1 for w in full), 2)
    assert torch.equal(
        pairs(table.unflatten(0, tuple(2 * w - 1 for w in full))), by_coordinates(table, full, full)
    )


@given(windows())
@settings(max_examples=25)
def test_a_learned_bias_of_a_clipped_window_is_that_of_its_coordinates(drawn):
    full, window = drawn
    bias = LearnedBias(full, num_heads=2)
    torch.nn.init.normal_(bias.table)
    assert torch.equal(bias(window), by_coordinates(bias.table, full, window))


@given(windows())
@settings(max_examples=25)
def test_a_continuous_bias_of_a_clipped_window_is_that_of_its_coordinates(drawn):
    """Each pair by itself through the MLP, in units of the reference window, whatever window it stands in."""
    full, window = drawn
    bias = ContinuousBias(2, reference=full, bound=16.0)
    one_by_one = []
    for offset in itertools.chain(*offsets(window)):
        unit = [8 * o / max(w - 1, 1) for o, w in zip(offset, full, strict=True)]
        logged = torch.tensor([math.copysign(math.log2(1 + abs(u)) / 3, u) for u in unit])
        one_by_one.append(16 * bias.mlp(logged).sigmoid())
    tokens = math.prod(window)
    torch.testing.assert_close(bias(window), torch.stack(one_by_one).T.reshape(2, tokens, tokens))


@given(windows())
@settings(max_examples=25)
def test_the_published_slice_is_right_where_only_the_first_axis_is_clipped(drawn):
    full, window = drawn
    assert wrong_share(full, (window[0], *full[1:])) == 0


@pytest.mark.parametrize(
    ("full", "window", "share"),
    [
        ((8, 7, 7), (4, 7, 7), 0.0),
        ((8, 7, 7), (8, 4, 4), 0.97),
        ((7, 7, 7), (6, 6, 6), 0.98),
        ((2, 7, 7), (2, 6, 6), 0.94),
    ],
)
def test_the_published_slice_is_wrong_where_height_or_width_is_clipped(full, window, share):
    """The bug of Video Swin, torchvision 3-D and MONAI, with the shares that were counted."""
    assert wrong_share(full, window) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("window", [(4, 4, 4), (8, 4, 7), (8, 7, 4)])
def test_the_published_slice_is_wrong_on_each_axis_of_space(window):
    assert wrong_share((8, 7, 7), window) > 0.5


@pytest.mark.parametrize(
    ("window", "reference", "largest"),
    [((8, 8), (8, 8), 1.0566), ((16, 16), (8, 8), 1.3938), ((16, 16), (16, 16), 1.0566)],
)
def test_log_offsets_have_the_released_range(window, reference, largest):
    """log2(9) / 3 at the edge of the reference window, more beyond it."""
    found = log_offsets(window, reference, torch.device("cpu"), torch.float32)
    assert found.shape == (*[2 * w - 1 for w in window], 2)
    assert found.max().item() == pytest.approx(largest, abs=5e-5)
    assert torch.equal(found, -found.flip(0, 1))


def test_log_offsets_of_a_window_of_one_token_are_zero():
    """The published code divides 0 by 0 there."""
    assert log_offsets((1, 1), (1, 1), torch.device("cpu"), torch.float32).tolist() == [[[0.0, 0.0]]]


def test_printed_offsets_are_the_natural_logarithms_of_the_paper():
    """V2 paper, eq. 4: 0, 0.6931, 1.0986, 1.3863 for offsets of 0 to 3 tokens, whatever the window."""
    found = printed_offsets((4, 2), torch.device("cpu"), torch.float32)
    assert found.shape == (7, 3, 2)
    assert found[:, 0, 0].tolist() == pytest.approx(
        [-1.3863, -1.0986, -0.6931, 0.0, 0.6931, 1.0986, 1.3863], abs=5e-5
    )
    assert found[0, :, 1].tolist() == pytest.approx([-0.6931, 0.0, 0.6931], abs=5e-5)
    larger = printed_offsets((6, 5), torch.device("cpu"), torch.float32)
    assert torch.equal(larger[2:-2, 3:-3], found)


@torch.no_grad()
@pytest.mark.parametrize("window", [(3,), (2, 5), (2, 3, 4)])
def test_a_printed_bias_is_its_mlp_of_each_pairs_offset(window):
    bias = PrintedBias(2, axes=len(window)).eval()
    places = places_of(window)[0].flatten(0, -2).float()
    offsets = places[:, None] - places[None]
    expected = bias.mlp(offsets.sign() * (1 + offsets.abs()).log()).movedim(-1, 0)
    torch.testing.assert_close(bias(window), expected)
