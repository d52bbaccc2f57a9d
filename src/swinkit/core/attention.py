"""Attention inside windows, and the two ways in which Swin compares tokens.

A similarity prepares queries and keys so that a plain dot product gives the score; V1 and V2 then run
through the same kernels.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .borders import Border
from .kernels import attend
from .position import RelativeBias
from .spec import Place


class ScaledDot(nn.Module):
    """V1: q . k / sqrt(D), or times a scale of one's own (paper, eq. 4)."""

    def __init__(self, scale: float | None = None):
        super().__init__()
        self.scale = scale

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """(..., N, D) twice -> the same, scaled."""
        return q * (q.shape[-1] ** -0.5 if self.scale is None else self.scale), k


class ScaledCosine(nn.Module):
    """V2: cos(q, k) times a temperature learned per head, at most 100 (V2 paper, eq. 2)."""

    def __init__(self, num_heads: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """(..., H, N, D) twice -> the same, normalised and scaled.

        In at least fp32: in fp16 the 1e-12 that guards the division by the norm is zero, and a token
        of padding, whose key has no bias, would become NaN.
        """
        dtype = torch.promote_types(q.dtype, torch.float32)
        scale = self.log_scale.to(dtype).clamp(max=math.log(100)).exp()
        unit_q, unit_k = F.normalize(q.to(dtype), dim=-1), F.normalize(k.to(dtype), dim=-1)
        return (unit_q * scale).to(q.dtype), unit_k.to(k.dtype)


class KeylessBiasLinear(nn.Module):
    """V2: C -> 3 * C for q, k, v, where k has no bias."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., 3 * C)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        return F.linear(x, self.weight, bias)


class WindowAttention(nn.Module):
    """(B, *S, C) -> (B, *S, C): multi-head attention in each window, shifted or not (paper, section 3.2)."""

    def __init__(
        self,
        place: Place,
        border: Border,
        *,
        qkv: nn.Module,
        similarity: nn.Module,
        bias: RelativeBias,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ):
        super().__init__()
        self.num_heads, self.window, self.shift = place.num_heads, place.window, place.shift
        self.border = border
        self.qkv = qkv
        self.similarity = similarity
        self.bias = bias
        self.attention_dropout = attention_dropout
        self.proj = nn.Linear(place.dim, place.dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        layout = self.border(x.shape[1:-1], self.window, self.shift)
        x = layout.partition(x)
        x = self.mix(x, self.bias(layout.window), layout.mask(x.device))
        return layout.merge(x)

    def mix(self, x: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """(B, W, N, C) -> (B, W, N, C), given bias (H, N, N) and mask (W, N, N)."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)  # each B, W, H, N, D
        q, k = self.similarity(q, k)
        offset = bias if mask is None else bias + mask[:, None]
        x = attend(q, k, v, offset, self.attention_dropout if self.training else 0.0)
        return self.dropout(self.proj(x.transpose(2, 3).flatten(3)))
