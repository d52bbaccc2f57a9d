"""The attention kernel, softmax(q k^T + bias) v for all windows of a grid: plain, and fused by torch.

The fused kernel gives torch's attention the windows that share a bias as a batch, and windows with biases of
their own as heads, so that one bias serves the whole batch in both cases. It pays from about a hundred
tokens per window on (V2 with large windows, Video); below that the plain product is as fast.
`tests/core/test_kernels.py` proves that both agree.

Shapes: B batch, W windows, H heads, N tokens in a window, D channels per head.
"""

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
