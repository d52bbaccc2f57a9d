"""Multi-head attention inside windows, and the two ways in which Swin compares tokens.

A similarity prepares queries and keys so that a dot product, times a scale, gives the score. V1 and V2 then
run through the same kernels.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .borders import Border
from .fast import forwards as fast
from .kernels import attend
from .position import RelativeBias
from .spec import BlockSpec
from .tiles import grid_of
from .windows import RolledLayout


class WindowAttention(nn.Module):
    """Multi-head attention in each window, shifted or not (paper, section 3.2): (B, *S, C) -> (B, *S, C)."""

    def __init__(
        self,
        block: BlockSpec,
        border: Border,
        *,
        qkv: nn.Module,
        similarity: nn.Module,
        bias: RelativeBias,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ):
        super().__init__()
        self.num_heads, self.window, self.shift = block.num_heads, block.window, block.shift
        self.border = border
        self.qkv = qkv
        self.similarity = similarity
        self.bias = bias
        self.attention_dropout = attention_dropout
        self.proj = nn.Linear(block.dim, block.dim)
        self.dropout = nn.Dropout(dropout)

    @fast.twin(fast.window_attention)
    def forward(self, x: Tensor) -> Tensor:
        """Attend within windows: (B, *S, C) -> (B, *S, C)."""
        layout = self.border(grid_of(x), self.window, self.shift)
        return self.dropout(self.proj(layout.merge(self.attend(layout.partition(x), layout))))

    def attend(self, x: Tensor, layout: RolledLayout) -> Tensor:
        """Compute softmax(q k^T + bias + mask) v in each window: (B, W, N, C) -> (B, W, N, C)."""
        q, k, v = (
            self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        )  # B, W, H, N, D
        q, k, scale = self.similarity(q, k)
        bias, mask = self.bias(layout.window), layout.mask(x.device)
        offset = bias if mask is None else bias + mask[:, None]
        dropout = self.attention_dropout if self.training else 0.0
        return attend(q * scale, k, v, offset, dropout).transpose(2, 3).flatten(3)


class ScaledDot(nn.Module):
    """V1's similarity: q . k / sqrt(D), or times the given scale (paper, eq. 4)."""

    def __init__(self, scale: float | None = None):
        super().__init__()
        self.scale = scale

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, float]:
        """Return q and k, both (..., N, D), as they are, and the scale of their products."""
        return q, k, q.shape[-1] ** -0.5 if self.scale is None else self.scale


class ScaledCosine(nn.Module):
    """V2's similarity: cos(q, k) times a temperature learned per head, at most 100 (V2 paper, eq. 2)."""

    parameter_roles: ClassVar[Mapping[str, str]] = {"log_scale": "temperature"}

    def __init__(self, num_heads: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, float]:
        """Return q and k, both (..., H, N, D), normalised and scaled, and 1 as the scale of their products.

        Computed in at least fp32, because the 1e-12 that guards the division by the norm is zero in fp16: a
        token of padding, whose key has no bias, would become NaN.
        """
        dtype = torch.promote_types(q.dtype, torch.float32)
        unit_q, unit_k = F.normalize(q.to(dtype), dim=-1), F.normalize(k.to(dtype), dim=-1)
        return (unit_q * self.temperature(dtype)).to(q.dtype), unit_k.to(k.dtype), 1.0

    def temperature(self, dtype: torch.dtype) -> Tensor:
        """Return the factor of each head's cosines, (H, 1, 1)."""
        return self.log_scale.to(dtype).clamp(max=math.log(100)).exp()
