"""Grids, windows and shifts drawn for the property tests, and the slow truths they are held against."""

import itertools

import torch
from hypothesis import strategies as st
from torch import Tensor

from swinkit.core.spec import Size

AXES = (1, 2, 3)


@st.composite
def cuts(draw: st.DrawFn, axes: tuple[int, ...] = AXES) -> tuple[Size, Size, Size]:
    """Return a grid, a window and a shift that is 0 or half the window, on one to three axes."""
    n = draw(st.sampled_from(axes))
    longest = {1: 24, 2: 13, 3: 6}[n]
    grid = tuple(draw(st.integers(1, longest)) for _ in range(n))
    window = tuple(draw(st.integers(1, max(2, longest // 2))) for _ in range(n))
    shifted = draw(st.booleans())
    return grid, window, tuple(w // 2 if shifted else 0 for w in window)


def places_of(grid: Size) -> Tensor:
    """(1, *S, n): the coordinates of each token."""
    axes = torch.meshgrid(*[torch.arange(s) for s in grid], indexing="ij")
    return torch.stack(axes, dim=-1)[None]


def labelled(grid: Size) -> Tensor:
    """(1, *S, 1): each token's number from 1 on, so that 0 is padding."""
    numbers = torch.arange(1, 1 + torch.Size(grid).numel(), dtype=torch.float64)
    return numbers.reshape(1, *grid, 1)


def official_mask(padded: Size, window: Size, shift: Size) -> Tensor:
    """(W, N, N): the mask as the official code has it, three slices per axis painted with running numbers."""
    regions = torch.zeros(padded)
    slices = [
        (slice(0, size - w), slice(size - w, size - s), slice(size - s, size))
        for size, w, s in zip(padded, window, shift, strict=True)
    ]
    for number, region in enumerate(itertools.product(*slices)):
        regions[region] = number
    rows = []
    for corner in itertools.product(*[range(0, size, w) for size, w in zip(padded, window, strict=True)]):
        piece = regions[tuple(slice(c, c + w) for c, w in zip(corner, window, strict=True))].flatten()
        rows.append((piece[:, None] != piece[None, :]).float() * -100.0)
    return torch.stack(rows)
