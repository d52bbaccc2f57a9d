"""The attention kernel for windows that are grouped by the mask that they need (`window_gather.py`).

Each group shares a bias. `core/kernels.py` has the kernel for windows in their own order.

Shapes: B batch, W windows, K kinds of windows, H heads, N tokens in a window, D channels per head.
"""

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import kernels


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
