"""Weights for another window or another grid, as Microsoft's `load_pretrained` makes them.

Both are bicubic (align_corners False, no antialias), two axes only. timm and SimMIM resize tables
geometrically instead: their resized models are others.

Shapes: H heads, (h, w) a window or a grid, C channels.
"""

from torch import Tensor

from ..core.position import resize
from ..core.spec import Size
from ..errors import UsageError


def resize_table(table: Tensor, window: Size, new: Size) -> Tensor:
    """((2h - 1)(2w - 1), H) of `window` -> the same of `new`, head by head.

    Raises:
        UsageError: the windows do not have two axes, as no resizing of others is published.
    """
    if len(window) != 2 or len(new) != 2:
        raise UsageError(
            f"bias tables of windows {window} and {new} cannot be resized: only windows of two axes can"
        )
    rows = table.unflatten(0, tuple(2 * w - 1 for w in window))
    return resize(rows, tuple(2 * w - 1 for w in new)).flatten(0, 1).contiguous()


def resize_absolute(embedding: Tensor, new: Size) -> Tensor:
    """(h, w, C) -> (*new, C).

    Raises:
        UsageError: the grids do not have two axes.
    """
    if embedding.ndim != 3 or len(new) != 2:
        raise UsageError(
            f"an absolute embedding of shape {tuple(embedding.shape)} cannot be resized to the grid {new}"
        )
    return resize(embedding, new).contiguous()
