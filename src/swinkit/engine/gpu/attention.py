"""Shifted-window attention on a GPU, from a grid of queries, keys and values to a grid of answers.

Imported where Triton is installed; `support.refusal` says beforehand whether a case is one of its.

Shapes: B batch, *S grid size, N tokens in a window, C channels, H heads.
"""

import torch
from torch import Tensor

from ...core.attention import ScaledCosine, ScaledDot
from ...core.windows import RolledLayout, RollThenPad
from .operator import window_attention


def attention(
    qkv: Tensor,
    padding: Tensor | None,
    bias: Tensor,
    layout: RolledLayout,
    num_heads: int,
    similarity: ScaledDot | ScaledCosine,
) -> Tensor:
    """As `twin.attention`."""
    padding = qkv.new_zeros(qkv.shape[-1]) if padding is None else padding.to(qkv.dtype)
    temperature, scale = None, 1.0
    if isinstance(similarity, ScaledCosine):
        temperature = similarity.temperature(torch.float32).flatten()
    else:
        width = qkv.shape[-1] // (3 * num_heads)
        scale = width**-0.5 if similarity.scale is None else similarity.scale
    roll_first = isinstance(layout, RollThenPad)
    return window_attention(qkv, padding, bias, temperature, scale, layout.window, layout.shift, roll_first)[
        0
    ]
