"""Shifted-window attention on a GPU, from a grid of queries, keys and values to a grid of answers.

This module imports Triton; `fallback.check_call` decides first whether the kernels can compute a call.

Shapes: B batch, *S grid size, N tokens in a window, C channels, H heads.
"""

from typing import Any

import torch
from torch import Tensor

from ...core.attention import ScaledCosine, ScaledDot
from ...core.windows import RolledLayout, RollThenPad
from .operator import window_attention, window_attention_backward


def attend_on_gpu(*given: Any) -> Tensor:
    """Compute `reference.attend_in_torch` by the kernels."""
    return window_attention(*operator_arguments(*given))[0]


@torch.no_grad()
def rehearse(qkv: Tensor, *others: Any) -> None:
    """Run forward and backward for the first image of `attend_on_gpu`'s input, to compile all kernels."""
    given = operator_arguments(qkv[:1], *others)
    out, logsum = window_attention(*given)
    window_attention_backward(out, out, logsum, *given)


def operator_arguments(
    qkv: Tensor,
    padding: Tensor | None,
    bias: Tensor,
    layout: RolledLayout,
    num_heads: int,
    similarity: ScaledDot | ScaledCosine,
) -> tuple[Any, ...]:
    """Turn `attend_on_gpu`'s arguments into the operator's."""
    padding = qkv.new_zeros(qkv.shape[-1]) if padding is None else padding.to(qkv.dtype)
    temperature, scale = None, 1.0
    if isinstance(similarity, ScaledCosine):
        temperature = similarity.temperature(torch.float32).flatten()
    else:
        width = qkv.shape[-1] // (3 * num_heads)
        scale = width**-0.5 if similarity.scale is None else similarity.scale
    roll_first = isinstance(layout, RollThenPad)
    return qkv, padding, bias, temperature, scale, layout.window, layout.shift, roll_first
