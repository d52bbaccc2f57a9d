"""Cutting and gluing, on one to three axes."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.core.patches import fold
from swinkit.core.tiles import crop, pad, pad_to, round_up, tile, untile

from .geometry import cuts, labelled


@given(cuts())
def test_untile_glues_what_tile_cut(cut):
    grid, size, _ = cut
    x = pad_to(labelled(grid), round_up(grid, size))
    tiles = tile(x, size)
    assert tiles.shape[1:-1] == (*[g // t for g, t in zip(x.shape[1:-1], size, strict=True)], *size)
    assert torch.equal(untile(tiles), x)


@given(cuts())
def test_a_tile_is_the_slice_of_the_grid_that_it_names(cut):
    grid, size, _ = cut
    x = pad_to(labelled(grid), round_up(grid, size))
    tiles = tile(x, size)
    last = tuple(g - 1 for g in tiles.shape[1 : 1 + len(size)])
    piece = x[(0, *(slice(i * t, (i + 1) * t) for i, t in zip(last, size, strict=True)))]
    assert torch.equal(tiles[(0, *last)], piece)


@given(cuts(), st.integers(0, 3))
def test_crop_takes_back_what_pad_added(cut, before):
    grid, after, _ = cut
    start = (before,) * len(grid)
    x = labelled(grid)
    padded = pad(x, start, after)
    assert padded.sum() == x.sum()
    assert torch.equal(crop(padded, grid, start), x)


@given(cuts())
def test_round_up_is_the_next_multiple(cut):
    grid, multiple, _ = cut
    for size, m, rounded in zip(grid, multiple, round_up(grid, multiple), strict=True):
        assert rounded % m == 0
        assert size <= rounded < size + m


def test_fold_orders_channels_as_the_published_merging_does():
    """The official x0, x1, x2, x3: rows 0/1/0/1, columns 0/0/1/1."""
    x = torch.randn(2, 6, 8, 5)
    published = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], dim=-1)
    assert torch.equal(fold(x, (2, 2)), published)


def test_fold_keeps_time_in_clips():
    """Video Swin merges space only, in the same order."""
    x = torch.randn(1, 3, 4, 6, 5)
    parts = [x[:, :, 0::2, 0::2], x[:, :, 1::2, 0::2], x[:, :, 0::2, 1::2], x[:, :, 1::2, 1::2]]
    assert torch.equal(fold(x, (1, 2, 2)), torch.cat(parts, dim=-1))


@given(cuts())
def test_fold_pads_at_the_far_end_and_loses_nothing(cut):
    grid, factor, _ = cut
    folded = fold(labelled(grid), factor)
    assert folded.shape[1:-1] == tuple(r // f for r, f in zip(round_up(grid, factor), factor, strict=True))
    assert sorted(folded[folded > 0].tolist()) == sorted(labelled(grid).flatten().tolist())
