"""Windows by one gather each way, grouped by the mask that they need.

One gather pads, rolls, cuts into windows and separates the heads, as `WindowLayout.partition` and reshaping
do in several steps. Only windows at the far end of a shifted axis straddle the seam and need a mask, so in
two dimensions there are at most four kinds of windows, in three eight.

Shapes: B batch, *S grid size, L = prod(S) tokens, W windows, N tokens in a window, K kinds, P parts (query,
key and value, or their mix), H heads, D channels of a head.
"""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from .. import kernels
from ..windows import RolledLayout
from .cache import TableCache

INT32_ROWS = 2**31  # rows that 32 bits can count


@dataclass(frozen=True, eq=False)
class WindowKinds:
    """The windows of a layout, in the order of the masks that they need."""

    places: Tensor  # (W, N), on the CPU: which token of the grid is there, -1 for padding
    counts: tuple[int, ...]  # how many windows are of each kind
    masks: Tensor  # (K, N, N)


@dataclass(frozen=True, eq=False)
class GatherRows:
    """Row numbers of D channels each, on the grid, (B, L, P, H, D), and in windows, (P, W, B, H, N, D)."""

    cut: Tensor  # (P * W * B * H * N): for each row in windows, the row on the grid; any for padding
    uncut: Tensor  # (B * L * P * H): for each row on the grid, the row in windows
    holes: Tensor  # the rows in windows that are padding
    fill: Tensor  # which of the P * H rows of padding is there


@TableCache
@torch.inference_mode(False)
def kinds_of(layout: RolledLayout, device: torch.device) -> WindowKinds:
    """Group the windows of `layout` by their masks."""
    places = layout.places
    mask = layout.mask(places.device)
    if mask is None:
        mask = torch.zeros(len(places), 1, 1, device="cpu")
    masks, kind, counts = mask.unique(dim=0, return_inverse=True, return_counts=True)
    return WindowKinds(places[kind.argsort(stable=True)], tuple(counts.tolist()), masks.to(device))


@TableCache
@torch.inference_mode(False)
def rows_of(layout: RolledLayout, device: torch.device, batch: int, parts: int, heads: int) -> GatherRows:
    """Compute the rows that the gathers of `layout` take."""
    places = kinds_of(layout, device).places
    count = batch * math.prod(layout.grid) * parts * heads
    grid = torch.arange(count, device="cpu").view(batch, math.prod(layout.grid), parts, heads)
    cut = grid[:, places.clamp(min=0)].permute(3, 1, 0, 4, 2)  # from B, W, N, P, H to P, W, B, H, N
    padding = (places < 0)[:, None, None].expand(cut.shape)
    fill = torch.arange(parts * heads, device="cpu").view(parts, 1, 1, heads, 1).expand(cut.shape)[padding]
    cut, padding = cut.flatten(), padding.flatten()
    uncut = torch.empty_like(grid).flatten()
    uncut[cut[~padding]] = (~padding).nonzero()[:, 0]
    short = torch.int32 if len(cut) < INT32_ROWS else torch.int64
    return GatherRows(
        cut.to(device, short), uncut.to(device, short), padding.nonzero()[:, 0].to(device), fill.to(device)
    )


class CutWindows(Function):
    """Cut the grid, (B * L * P * H, D), into windows, (P * W * B * H * N, D); padding is (P * H, D)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: Tensor | None, rows: GatherRows) -> Tensor:
        """Gather."""
        ctx.rows, ctx.padding = rows, None if padding is None else padding.shape
        x = x.index_select(0, rows.cut)
        return x if padding is None else x.index_copy_(0, rows.holes, padding.index_select(0, rows.fill))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor | None, None]:
        """Gather as well, where autograd's own backward would scatter."""
        (gradient,), rows, padding = grad_outputs, ctx.rows, None
        if ctx.padding is not None:
            holes = gradient.index_select(0, rows.holes)
            padding = gradient.new_zeros(ctx.padding).index_add(0, rows.fill, holes)
        return gradient.index_select(0, rows.uncut), padding, None


class JoinWindows(Function):
    """Join windows, (P * W * B * H * N, D), to the grid, (B * L * P * H, D), leaving out padding."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: GatherRows) -> Tensor:
        """Gather."""
        ctx.rows = rows
        return x.index_select(0, rows.uncut)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        """Gather; padding gets no gradient."""
        (gradient,), rows = grad_outputs, ctx.rows
        gradient = gradient.index_select(0, rows.cut)
        return (gradient.index_fill(0, rows.holes, 0) if len(rows.holes) else gradient), None


@dataclass(frozen=True)
class WindowGather:
    """The windows of `layout`, cut and joined by one gather each."""

    layout: RolledLayout
    heads: int

    def split(self, qkv: Tensor, padding: Tensor | None) -> Tensor:
        """Cut into windows, with `padding` beyond the grid: (B, *S, 3 * H * D) -> (3, W, B, H, N, D)."""
        batch, depth = len(qkv), qkv.shape[-1] // (3 * self.heads)
        table = rows_of(self.layout, qkv.device, batch, 3, self.heads)
        filling = None if padding is None else padding.reshape(-1, depth)
        windows = CutWindows.apply(qkv.reshape(-1, depth), filling, table)
        layout = self.layout
        return windows.view(3, math.prod(layout.counts), batch, self.heads, math.prod(layout.window), depth)

    def join(self, x: Tensor) -> Tensor:
        """Join windows: (W, B, H, N, D) -> (B, *S, H * D)."""
        batch, depth = x.shape[1], x.shape[-1]
        table = rows_of(self.layout, x.device, batch, 1, self.heads)
        return JoinWindows.apply(x.reshape(-1, depth), table).view(
            batch, *self.layout.grid, self.heads * depth
        )

    def offsets(self, bias: Tensor) -> Tensor:
        """Add the mask of each kind to the bias: (H, N, N) -> (K, H, N, N)."""
        return bias + kinds_of(self.layout, bias.device).masks[:, None]

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, dropout: float
    ) -> Tensor:
        """Attend within windows, with offsets (K, H, N, N): three (W, B, H, N, D) -> (W, B, H, N, D)."""
        return attend_by_kind(q, k, v, scale, offsets, kinds_of(self.layout, q.device).counts, dropout)


def attend_by_kind(
    q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, counts: tuple[int, ...], dropout: float
) -> Tensor:
    """Attend within windows: three (W, B, H, N, D) and offsets (K, H, N, N) -> (W, B, H, N, D).

    The first offset belongs to the first `counts[0]` windows, and so on.
    """
    if q.shape[-2] >= kernels.FUSED_FROM:
        return attend_fused_by_kind(q, k, v, scale, offsets, counts, dropout)
    if q.dtype == offsets.dtype:  # a product in place cannot raise one to the other
        scores = expand_offsets(offsets, counts, q.shape[1]).flatten(0, 2)
        scores = scores.baddbmm_(q.flatten(0, 2), k.flatten(0, 2).transpose(1, 2), alpha=scale)
        return kernels.weigh(scores, v.flatten(0, 2), dropout).view_as(q)
    return kernels.attend_plainly(q * scale, k, v, expand_offsets(offsets, counts, 1), dropout)


def attend_fused_by_kind(
    q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, counts: tuple[int, ...], dropout: float
) -> Tensor:
    """Attend as `attend_by_kind`, by torch's scaled_dot_product_attention, once for each kind."""
    answers = []
    for offset, count, end in zip(offsets, counts, accumulate(counts), strict=True):
        kind = (x[end - count : end].flatten(0, 1) for x in (q, k, v))
        mask = offset[None].to(q.dtype)
        answers.append(F.scaled_dot_product_attention(*kind, attn_mask=mask, dropout_p=dropout, scale=scale))
    return (answers[0] if len(answers) == 1 else torch.cat(answers)).view_as(q)


def expand_offsets(offsets: Tensor, counts: tuple[int, ...], batch: int) -> Tensor:
    """Copy the offset of each window: (K, H, N, N) -> (W, B, H, N, N)."""
    return torch.cat([x.expand(n, batch, *x.shape) for x, n in zip(offsets, counts, strict=True)])
