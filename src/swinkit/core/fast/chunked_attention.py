"""Chunked attention: few windows at a time, from tokens to tokens, for long windows on a CPU.

The tokens themselves are gathered, before the product that makes queries, keys and values of them. So
everything between the grid and the answer fits in the CPU's cache, and only tokens are copied.

Shapes: B batch, *S grid size, L = prod(S) tokens, W windows, w of them, N tokens in a window, C channels,
H heads, D = C / H, K kinds of windows.
"""

from collections.abc import Callable
from itertools import accumulate

import torch.nn.functional as F
from torch import Tensor, nn

from ..windows import RolledLayout
from .window_gather import kinds_of

CHUNK = 2**19  # numbers of tokens; their queries, keys and values are three times as many

Similarity = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, float]]


def attend_in_chunks(
    x: Tensor,
    layout: RolledLayout,
    heads: int,
    offsets: Tensor,
    parts: tuple[nn.Module, Similarity, nn.Module],
) -> Tensor:
    """Attend within windows, with offsets (K, H, N, N): (B, *S, C) -> (B, *S, C).

    `parts` are the layer for queries, keys and values, the similarity, and the last projection.
    """
    qkv_layer, similarity, proj = parts
    kinds, padded = kinds_of(layout, x.device), layout.padded != layout.grid
    out = proj(x.new_empty(0, x.shape[-1])).new_empty(x.shape)  # autocast may answer in another precision
    at_a_time = max(1, CHUNK // (kinds.places.shape[1] * x.shape[-1]))
    for tokens, answers in zip(x.flatten(1, -2), out.flatten(1, -2), strict=True):
        for offset, count, end in zip(offsets, kinds.counts, accumulate(kinds.counts), strict=True):
            for places in kinds.places[end - count : end].split(at_a_time):
                rows, real = places.flatten(), places.flatten() >= 0
                windows = tokens.index_select(0, rows.clamp(min=0))
                if padded:
                    windows.masked_fill_(~real[:, None], 0.0)
                qkv = qkv_layer(windows).view(*places.shape, 3, heads, -1)
                q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each w, H, N, D
                q, k, scale = similarity(q, k)
                y = F.scaled_dot_product_attention(q, k, v, attn_mask=offset[None].to(q.dtype), scale=scale)
                y = proj(y.transpose(1, 2).reshape(len(rows), -1))
                answers.index_copy_(0, *((rows[real], y[real]) if padded else (rows, y)))
    return out
