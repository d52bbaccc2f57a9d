"""Absolute position: a learned embedding added to each token, by its place on the grid.

Shapes: B batch, *S grid size, C channels.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fast import forwards as fast
from .spec import Size
from .tiles import grid_of


class AbsolutePosition(nn.Module):
    """Learned embedding of each place of the grid: (B, *S, C) -> (B, *S, C).

    The embedding keeps the grid it was trained on. On another grid it is resized bicubically, as the dense
    forks do; axis by axis, so that any number of axes works.
    """

    parameter_roles: ClassVar[Mapping[str, str]] = {"embedding": "position"}

    def __init__(self, grid: Size, dim: int):
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(*grid, dim))

    @fast.twin(fast.absolute_position)
    def forward(self, x: Tensor) -> Tensor:
        """Add the embedding, resized to the grid: (B, *S, C) -> (B, *S, C)."""
        return x + self.resize(grid_of(x)).to(x.dtype)

    def resize(self, size: Size) -> Tensor:
        """Return the embedding on a grid of `size`, (*size, C)."""
        return resize_grid(self.embedding, size)


def resize_grid(grid: Tensor, size: Size) -> Tensor:
    """Resize bicubically, one axis after the other: (*S, C) -> (*size, C).

    As `align_corners=False` without antialiasing, in at least fp32. A grid of that size is returned as it is.
    """
    if tuple(grid.shape[:-1]) == tuple(size):
        return grid
    dtype = grid.dtype
    grid = grid.to(torch.promote_types(dtype, torch.float32))
    for axis, new in enumerate(size):
        if grid.shape[axis] != new:
            rows = grid.transpose(axis, -1)
            flat = rows.reshape(1, 1, -1, rows.shape[-1])
            flat = F.interpolate(flat, size=(flat.shape[2], new), mode="bicubic", align_corners=False)
            grid = flat.reshape(*rows.shape[:-1], new).transpose(-1, axis)
    return grid.to(dtype)
