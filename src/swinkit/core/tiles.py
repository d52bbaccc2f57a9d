"""Tiles of an n-dimensional grid: cutting a grid into tiles, and joining the tiles again.

Swin cuts its grid into equal tiles again and again. Patches are tiles of pixels, windows are tiles of tokens,
and merging folds each 2x2 tile of tokens into one token. All of them use these functions.

Shapes: B batch, *S grid size, *T tile size, *G tiles per axis (S = G * T), C channels.
The number of axes is free: 1 for signals, 2 for images, 3 for clips and volumes.
"""

import torch.nn.functional as F
from torch import Tensor

from .spec import Size


def grid_of(x: Tensor) -> Size:
    """Return the size of a grid: (B, *S, C) -> S.

    `torch.jit.trace`, and so the older ONNX exporter, has tensors for sizes. They become numbers, because the
    program is for this size alone.
    """
    return tuple(int(s) if isinstance(s, Tensor) else s for s in x.shape[1:-1])


def tile(x: Tensor, size: Size) -> Tensor:
    """Cut a grid into tiles: (B, *S, C) -> (B, *G, *T, C). Every axis of S must be a multiple of T."""
    n = len(size)
    for axis, t in reversed(list(enumerate(size, start=1))):
        x = x.unflatten(axis, (x.shape[axis] // t, t))  # in 2-D: B, Gh, Th, Gw, Tw, C
    return x.permute(0, *range(1, 2 * n, 2), *range(2, 2 * n + 1, 2), 2 * n + 1)  # in 2-D: 0, 1, 3, 2, 4, 5


def untile(x: Tensor) -> Tensor:
    """Join tiles to a grid, as the inverse of `tile`: (B, *G, *T, C) -> (B, *S, C)."""
    n = (x.ndim - 2) // 2
    axes = (axis for i in range(n) for axis in (1 + i, 1 + n + i))
    x = x.permute(0, *axes, 2 * n + 1)  # in 2-D: 0, 1, 3, 2, 4, 5
    for axis in range(1, n + 1):
        x = x.flatten(axis, axis + 1)
    return x


def round_up(size: Size, multiple: Size) -> Size:
    """Return the smallest size that is a multiple of `multiple` along every axis."""
    # ONNX truncates a quotient where Python floors it, so nothing that is divided may be negative.
    return tuple((s + m - 1) // m * m for s, m in zip(size, multiple, strict=True))


def channels_last(x: Tensor) -> Tensor:
    """Move the channels behind the grid: (B, C, *S) -> (B, *S, C)."""
    return x.permute(0, *range(2, x.ndim), 1)  # the older ONNX exporter writes `movedim` wrongly


def channels_first(x: Tensor) -> Tensor:
    """Move the channels before the grid: (B, *S, C) -> (B, C, *S)."""
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def pad(x: Tensor, before: Size, after: Size) -> Tensor:
    """Pad with zeros: (B, *S, C) -> (B, *(before + S + after), C)."""
    amounts = [amount for pair in zip(before[::-1], after[::-1], strict=True) for amount in pair]
    return F.pad(x, (0, 0, *amounts)) if any(amounts) else x


def pad_to(x: Tensor, size: Size) -> Tensor:
    """Pad with zeros at the far end of each axis: (B, *S, C) -> (B, *size, C)."""
    return pad(x, (0,) * len(size), tuple(b - a for a, b in zip(grid_of(x), size, strict=True)))


def crop(x: Tensor, size: Size, start: Size | None = None) -> Tensor:
    """Crop from `start`, the near corner if not given: (B, *S, C) -> (B, *size, C)."""
    start = start or (0,) * len(size)
    return x[(slice(None), *(slice(a, a + s) for a, s in zip(start, size, strict=True)))]
