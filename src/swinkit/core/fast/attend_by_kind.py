"""The attention kernel for windows that are grouped by the mask that they need.

Torch's fused attention is given the windows of one kind as a batch, so that one offset serves them all.

Shapes: B batch, W windows, K kinds of windows, H heads, N tokens in a window, D channels per head.
"""

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import FUSED_FROM, plain, weigh


def attend_by_kind(
    q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, counts: tuple[int, ...], dropout: float
) -> Tensor:
    """Attend within windows: three (W, B, H, N, D) and offsets (K, H, N, N) -> (W, B, H, N, D).

    The first offset belongs to the first `counts[0]` windows, and so on.
    """
    if q.shape[-2] >= FUSED_FROM:
        return fused_by_kind(q, k, v, scale, offsets, counts, dropout)
    if q.dtype == offsets.dtype:  # a product in place cannot raise one to the other
        scores = spread(offsets, counts, q.shape[1]).flatten(0, 2)
        scores = scores.baddbmm_(q.flatten(0, 2), k.flatten(0, 2).transpose(1, 2), alpha=scale)
        return weigh(scores, v.flatten(0, 2), dropout).view_as(q)
    return plain(q * scale, k, v, spread(offsets, counts, 1), dropout)


def fused_by_kind(
    q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, counts: tuple[int, ...], dropout: float
) -> Tensor:
    """Attend as `attend_by_kind`, by torch's scaled_dot_product_attention, once for each kind."""
    answers = []
    for offset, count, end in zip(offsets, counts, accumulate(counts), strict=True):
        kind = (x[end - count : end].flatten(0, 1) for x in (q, k, v))
        mask = offset[None].to(q.dtype)
        answers.append(F.scaled_dot_product_attention(*kind, attn_mask=mask, dropout_p=dropout, scale=scale))
    return (answers[0] if len(answers) == 1 else torch.cat(answers)).view_as(q)


def spread(offsets: Tensor, counts: tuple[int, ...], batch: int) -> Tensor:
    """Copy the offset of each window: (K, H, N, N) -> (W, B, H, N, N)."""
    return torch.cat([x.expand(n, batch, *x.shape) for x, n in zip(offsets, counts, strict=True)])
