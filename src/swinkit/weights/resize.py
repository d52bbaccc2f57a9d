"""Change weights to another window, another grid, or from images to clips.

Bias tables are resized in one of the two published ways, head by head: `bicubic` as Microsoft's
`load_pretrained` and the dense forks (align_corners False, no antialias), or `geometric` as SimMIM's
fine-tuning: offsets placed in a geometric progression, and a cubic spline through them. The two give
different models. Absolute embeddings are always bicubic.

Clips follow Video Swin's `inflate_weights`: the patch embedding is repeated over the frames of a patch and
divided by their number, and a bias depends on the offset in height and width alone. So every frame of a still
clip gets the features of the image.

Shapes: H heads, *w a window, (h, w) a grid or window, (t, h, w) a window, T frames in a patch, C channels.
"""

import torch
from torch import Tensor

from ..core.absolute_position import resize_grid
from ..core.spec import Size
from ..errors import UsageError
from .spline import geometric_places, spline_matrix


def bicubic(rows: Tensor, new: Size) -> Tensor:
    """Resize the rows of a table: (*old, H) -> (*new, H)."""
    return resize_grid(rows, new)


def geometric(rows: Tensor, new: Size) -> Tensor:
    """Resize the rows of a table axis by axis in float64: (*old, H) -> (*new, H). Equal axes stay unchanged.

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
    """Return whether a way from `window` to `new` is published: two axes, or three with time unchanged."""
    return len(window) == len(new) in (2, 3) and window[:-2] == new[:-2]


def resize_table(table: Tensor, window: Size, new: Size, tables: str = "bicubic") -> Tensor:
    """Resize a table of `window` to one of `new` in the way `tables`: (prod(2w - 1), H) -> the same.

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
    """Resize an absolute embedding: (h, w, C) -> (*new, C).

    Raises:
        UsageError: the grids do not have two axes.
    """
    if embedding.ndim != 3 or len(new) != 2:
        raise UsageError(
            f"an absolute embedding of shape {tuple(embedding.shape)} cannot be resized to the grid {new}"
        )
    return resize_grid(embedding, new).contiguous()


def inflate_embedding(weight: Tensor, frames: int) -> Tensor:
    """Repeat a patch embedding over frames: (C, in_channels, h, w) -> (C, in_channels, T, h, w)."""
    return weight.unsqueeze(2).repeat(1, 1, frames, 1, 1) / frames


def inflate_table(table: Tensor, window: Size, new: Size, tables: str = "bicubic") -> Tensor:
    """Repeat a table of `window` (h, w) over time: ((2h - 1)(2w - 1), H) -> (prod(2w - 1), H) of `new`.

    Raises:
        UsageError: as `resize_table`, where height or width differ.
    """
    flat = table if window == new[1:] else resize_table(table, window, new[1:], tables)
    return flat.repeat(2 * new[0] - 1, 1)
