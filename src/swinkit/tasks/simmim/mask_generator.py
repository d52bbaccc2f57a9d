"""Masks: which patches of a picture or a clip are hidden.

All patches of a hidden cell are masked, in every frame of a clip alike (a tube), so that none can be copied
from the frame before.

Shapes: B batch, *P size in pixels, *S grid of patches, N cells.
"""

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ...core.spec import Size
from ...core.tiles import crop
from .settings import PLANE, Masking


def masks_of(orders: Tensor, masking: Masking, size: Size, patch: Size) -> Tensor:
    """Make masks from permutations (B, N) of the cells of *P -> (B, *S) bool.

    The first cells of each permutation are hidden. SimMIM's generator (data/data_simmim.py) with numpy's
    permutation as the order.
    """
    chosen = orders[:, : masking.hidden_of(orders.shape[1])]
    mask = torch.zeros(orders.shape, dtype=torch.bool).scatter(1, chosen, True)
    mask = mask.unflatten(1, masking.cells(size))
    for axis, side in enumerate(patch[-PLANE:], start=1):
        mask = mask.repeat_interleave(masking.patch // side, axis)
    grid = tuple((side + p - 1) // p for side, p in zip(size, patch, strict=True))
    frames, plane = grid[:-PLANE], grid[-PLANE:]
    mask = crop(mask.unsqueeze(-1), plane).reshape(len(mask), *(1 for _ in frames), *plane)
    return mask.expand(len(mask), *grid)


def draw_masks(streams: Sequence[random.Random], masking: Masking, size: Size, patch: Size) -> Tensor:
    """Draw a mask for each of B inputs of *P pixels, each from its own random stream: (B, *S) bool."""
    cells = math.prod(masking.cells(size))
    orders = torch.tensor([stream.sample(range(cells), cells) for stream in streams])
    return masks_of(orders, masking, size, patch)
