"""Weights for another window or another grid.

Tables of biases are resized in one of the two published ways, head by head: `bicubic` as Microsoft's
`load_pretrained` and the dense forks (align_corners False, no antialias), or `geometric` as SimMIM's
fine-tuning: offsets placed in a geometric progression, and a cubic spline through them. The two give other
models. Absolute embeddings are bicubic everywhere.

Shapes: H heads, *w a window, (h, w) a grid, C channels.
"""

import torch
from torch import Tensor

from ..core.position import resize
from ..core.spec import Size
from ..errors import UsageError
from .spline import geometric_places, spline_matrix


def bicubic(rows: Tensor, new: Size) -> Tensor:
    """(*old, H) rows of a table -> (*new, H)."""
    return resize(rows, new)


def geometric(rows: Tensor, new: Size) -> Tensor:
    """(*old, H) rows of a table -> (*new, H), in float64, axis by axis; an axis that stays is not touched.

    Raises:
        UsageError: an axis that changes has too few offsets for a cubic spline.
    """
    dtype, rows = rows.dtype, rows.double()
    for axis, size in enumerate(new):
        old = rows.shape[axis]
        if old != size:
            asked = torch.arange(size, dtype=torch.float64) - size // 2
            matrix = spline_matrix(geometric_places(old, size), asked).to(rows.device)
            rows = (matrix @ rows.movedim(axis, -2)).movedim(-2, axis)
    return rows.to(dtype)


TABLES = {"bicubic": bicubic, "geometric": geometric}


def resizable(window: Size, new: Size) -> bool:
    """Whether a way from `window` to `new` is published: two axes, or three of which time stays."""
    return len(window) == len(new) in (2, 3) and window[:-2] == new[:-2]


def resize_table(table: Tensor, window: Size, new: Size, tables: str = "bicubic") -> Tensor:
    """(prod(2w - 1), H) of `window` -> the same of `new`, in the way that `tables` names.

    With three axes, each offset in time by itself.

    Raises:
        UsageError: a window of one axis, or of another depth in time: no way is published; or too few
            offsets for the geometric way.
    """
    if not resizable(window, new):
        raise UsageError(
            f"bias tables cannot be resized from window {window} to {new}: only height and width can change"
        )
    old_rows, new_rows = (tuple(2 * w - 1 for w in size) for size in (window, new))
    slices = table.reshape(-1, *old_rows[-2:], table.shape[-1])
    resized = torch.stack([TABLES[tables](rows, new_rows[-2:]) for rows in slices])
    return resized.flatten(0, -2).contiguous()


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


def inflate_embedding(weight: Tensor, frames: int) -> Tensor:
    """(C, in_channels, h, w) -> (C, in_channels, T, h, w)."""
    return weight.unsqueeze(2).repeat(1, 1, frames, 1, 1) / frames


def inflate_table(table: Tensor, window: Size, new: Size, tables: str = "bicubic") -> Tensor:
    """((2h - 1)(2w - 1), H) of `window` (h, w) -> (prod(2w - 1), H) of `new` (t, h, w).

    Raises:
        UsageError: as `resize_table`, where height or width differ.
    """
    flat = table if window == new[1:] else resize_table(table, window, new[1:], tables)
    return flat.repeat(2 * new[0] - 1, 1)
