"""A picture model's weights for clips, as Video Swin makes them (its `inflate_weights`).

The patch embedding is repeated over the frames of a patch and divided by their number; a bias depends on the
offset in height and width alone, whatever the offset in time. So every frame of a clip in which nothing moves
gets the features of the picture.

Shapes: T frames in a patch, (h, w) and (t, h, w) windows, H heads, C channels.
"""

from torch import Tensor

from ..core.spec import Size
from .resize import resize_table


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
