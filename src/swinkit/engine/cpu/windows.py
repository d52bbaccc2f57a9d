"""Where the tokens of every window lie, as tables that native code can follow.

The plain path's own layout makes them, from a grid of row numbers: so they are right for every border
policy, any padding and any number of axes, of which native code then knows nothing.

Shapes: W windows in a grid, N tokens in a window, K kinds of masked windows, *S grid size.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.windows import RolledLayout
from . import library

KEPT = 32  # layouts whose tables are kept; a model has about two per stage and input size


@dataclass(frozen=True)
class Tables:
    """One layout. Windows come in few kinds: masked are those where the roll made strangers neighbours."""

    rows: Tensor  # (W, N) int32: the row of the grid at each token, -1 where it is padding
    kinds: Tensor  # (W) int32: which mask, -1 for none
    masks: Tensor  # (K, N, columns) fp32: zeros beyond N

    @property
    def structure(self) -> library.Layout:
        """For native code, as long as this lives."""
        return library.Layout(
            self.rows.data_ptr(), self.kinds.data_ptr(), self.masks.data_ptr(), *self.rows.shape
        )


@lru_cache(KEPT)
def tables(layout: RolledLayout, lanes: int) -> Tables:
    """The tables of `layout`, whose masks are as wide as whole vectors of `lanes` numbers."""
    numbers = torch.arange(1, math.prod(layout.grid) + 1, device="cpu").reshape(1, *layout.grid, 1)
    rows = layout.partition(numbers)[0, ..., 0].int() - 1
    kinds, masks = kinds_of(layout.mask(rows.device), len(rows))
    return Tables(rows.contiguous(), kinds, widened(masks, lanes, 0.0))


def kinds_of(mask: Tensor | None, windows: int) -> tuple[Tensor, Tensor]:
    """(W, N, N) -> the kind of each window (W), and the masks that differ (K, N, N), in fp32."""
    if mask is None:
        none = torch.empty(0, 1, 1, dtype=torch.float32, device="cpu")
        return torch.full((windows,), -1, dtype=torch.int32, device="cpu"), none
    seen: dict[bytes, int] = {}
    kinds, masks = [], []
    for row, masked in zip(mask, mask.flatten(1).any(1).tolist(), strict=True):
        kind = seen.setdefault(row.numpy().tobytes(), len(seen)) if masked else -1
        if kind == len(masks):
            masks.append(row)
        kinds.append(kind)
    return (
        torch.tensor(kinds, dtype=torch.int32, device="cpu"),
        torch.stack(masks).float() if masks else mask[:0].float(),
    )


def widened(table: Tensor, lanes: int, value: float) -> Tensor:
    """(..., N) -> (..., columns), columns a multiple of `lanes`, filled with `value`."""
    return F.pad(table, (0, -table.shape[-1] % lanes), value=value).contiguous()
