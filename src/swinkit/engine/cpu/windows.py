"""Tables of the tokens of every window, for native code.

They come from the plain path (`core/fast/window_gather.py`). So they are right for every border policy, any
padding and any number of axes, and native code needs none of these.

Shapes: W windows in a grid, N tokens in a window, K kinds of windows.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.fast.cache import TableCache
from ...core.fast.window_gather import kinds_of
from ...core.windows import RolledLayout
from . import library


@dataclass(frozen=True)
class WindowTables:
    """The tables of one layout, its windows in the order of their kinds."""

    rows: Tensor  # (W, N) int32: the row of the grid at each token, -1 where it is padding
    kinds: Tensor  # (W) int32: which mask, -1 for none
    masks: Tensor  # (K, N, columns) fp32: zeros beyond N

    @property
    def structure(self) -> library.Layout:
        """The structure for native code, valid for as long as this lives."""
        return library.Layout(
            self.rows.data_ptr(), self.kinds.data_ptr(), self.masks.data_ptr(), *self.rows.shape
        )


@TableCache
def window_tables(layout: RolledLayout, lanes: int) -> WindowTables:
    """Return the tables of `layout`, with masks as wide as whole vectors of `lanes` numbers."""
    kinds = kinds_of(layout, torch.device("cpu"))
    numbers = torch.arange(len(kinds.masks), dtype=torch.int32, device="cpu")
    kind = torch.where(kinds.masks.flatten(1).any(1), numbers, -1)
    counts = torch.tensor(kinds.counts, device="cpu")
    return WindowTables(
        kinds.places.int().contiguous(), kind.repeat_interleave(counts), widen(kinds.masks, lanes, 0.0)
    )


def widen(table: Tensor, lanes: int, value: float) -> Tensor:
    """Fill up to a multiple of `lanes` columns with `value`: (..., N) -> (..., columns)."""
    return F.pad(table, (0, -table.shape[-1] % lanes), value=value).contiguous()
