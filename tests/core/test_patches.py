"""Patches and their merging."""

import pytest
import torch
from torch import nn

from swinkit.core.patches import NormThenReduce, PatchEmbed, ReduceThenNorm, fold


@pytest.mark.parametrize(
    ("patch", "pixels", "grid"),
    [
        ((4,), (13,), (4,)),
        ((4, 4), (61, 83), (16, 21)),
        ((2, 4, 4), (3, 30, 45), (2, 8, 12)),
        ((2, 3), (4, 6), (2, 2)),
    ],
)
def test_sizes_that_fill_no_patch_are_padded_with_zeros_at_the_far_end(patch, pixels, grid):
    embed = PatchEmbed(patch, 3, 5, norm=nn.Identity())
    x = torch.randn(2, 3, *pixels)
    padded = torch.zeros(2, 3, *[g * p for g, p in zip(grid, patch, strict=True)])
    padded[(..., *(slice(size) for size in pixels))] = x
    assert embed(x).shape == (2, *grid, 5)
    torch.testing.assert_close(embed(x), embed.proj(padded).movedim(1, -1))


def test_v1_norms_before_it_reduces_and_v2_after():
    x = torch.randn(1, 4, 6, 8)
    first, last = NormThenReduce(8, (2, 2)), ReduceThenNorm(8, (2, 2))
    torch.testing.assert_close(first(x), first.reduction(first.norm(fold(x, (2, 2)))))
    torch.testing.assert_close(last(x), last.norm(last.reduction(fold(x, (2, 2)))))
    assert (first.norm.normalized_shape, last.norm.normalized_shape) == ((32,), (16,))
    assert first.reduction.bias is last.reduction.bias is None
