"""The attention kernel, softmax(q k^T + offset) v for all windows of a grid: plain, and fused by torch.

The fused kernel gives torch's attention the windows that share an offset as a batch, and windows with offsets
of their own as heads, so that one offset serves the whole batch in both cases. It pays from about a hundred
tokens per window on (V2 with large windows, Video); below that the plain product is as fast.
`tests/core/test_kernels.py` proves that both agree.
Where windows are grouped by the mask that they need (`window_gather.py`), each group shares an offset.

Shapes: B batch, W windows, K kinds of windows, H heads, N tokens in a window, D channels per head.
"""

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

FUSED_FROM = 128  # tokens per window


def attend(q: Tensor, k: Tensor, v: Tensor, offset: Tensor, dropout: float) -> Tensor:
    """Attend by the faster kernel: three (B, W, H, N, D) and an offset, ([W,] H, N, N) -> (B, W, H, N, D)."""
    return (attend_fused if q.shape[-2] >= FUSED_FROM else attend_plainly)(q, k, v, offset, dropout)


def attend_plainly(q: Tensor, k: Tensor, v: Tensor, offset: Tensor, dropout: float) -> Tensor:
    """Attend by products and a softmax in at least fp32; the offset keeps its own precision."""
    scores = q @ k.transpose(-2, -1) + offset  # an offset in fp32, as under autocast, raises scores in bf16
    return weigh(scores, v, dropout)


def attend_fused(q: Tensor, k: Tensor, v: Tensor, offset: Tensor, dropout: float) -> Tensor:
    """Attend by torch's scaled_dot_product_attention."""
    shared = offset.ndim == 3
    first = 0 if shared else 1  # windows join the batch, or the heads
    offset = offset[None] if shared else offset.flatten(0, 1)[None]
    sizes = q.shape[first : first + 2]
    q, k, v = (x.flatten(first, first + 1) for x in (q, k, v))
    x = F.scaled_dot_product_attention(q, k, v, attn_mask=offset.to(q.dtype), dropout_p=dropout, scale=1.0)
    return x.unflatten(first, sizes)


def weigh(scores: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Weight values by the softmax of the scores: (..., N, N) and (..., N, D) -> (..., N, D)."""
    weights = scores.softmax(-1, torch.promote_types(scores.dtype, torch.float32)).to(v.dtype)
    return F.dropout(weights, dropout, training=dropout > 0) @ v


def attend_by_kind(
    q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, counts: tuple[int, ...], dropout: float
) -> Tensor:
    """Attend within windows: three (W, B, H, N, D) and offsets (K, H, N, N) -> (W, B, H, N, D).

    The first offset belongs to the first `counts[0]` windows, and so on.
    """
    if q.shape[-2] >= FUSED_FROM:
        return attend_fused_by_kind(q, k, v, scale, offsets, counts, dropout)
    if q.dtype == offsets.dtype:  # a product in place cannot raise one to the other
        scores = expand_offsets(offsets, counts, q.shape[1]).flatten(0, 2)
        scores = scores.baddbmm_(q.flatten(0, 2), k.flatten(0, 2).transpose(1, 2), alpha=scale)
        return weigh(scores, v.flatten(0, 2), dropout).view_as(q)
    return attend_plainly(q * scale, k, v, expand_offsets(offsets, counts, 1), dropout)


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
