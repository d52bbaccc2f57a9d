"""Attention inside windows, and the two ways in which Swin compares tokens.

A similarity prepares queries and keys so that a dot product, times a scale, gives the score; V1 and V2 then
run through the same kernels.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

import math
from collections.abc import Callable, Hashable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .borders import Border
from .fast.chunked_attention import attend_in_turn
from .fast.chunking import goes_in_pieces
from .fast.eager import runs_at_once
from .fast.weight_cache import Memo
from .fast.window_gather import Gathered
from .kernels import FUSED_FROM
from .position import RelativeBias
from .spec import Place
from .viewing import Viewed
from .windows import RolledLayout


class ScaledDot(nn.Module):
    """V1: q . k / sqrt(D), or times a scale of one's own (paper, eq. 4)."""

    def __init__(self, scale: float | None = None):
        super().__init__()
        self.scale = scale

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, float]:
        """(..., N, D) twice -> the same, and the scale of their products."""
        return q, k, q.shape[-1] ** -0.5 if self.scale is None else self.scale


class ScaledCosine(nn.Module):
    """V2: cos(q, k) times a temperature learned per head, at most 100 (V2 paper, eq. 2)."""

    def __init__(self, num_heads: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))

    def forward(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, float]:
        """(..., H, N, D) twice -> the same, normalised and scaled, so that the products need no scale.

        In at least fp32: in fp16 the 1e-12 that guards the division by the norm is zero, and a token
        of padding, whose key has no bias, would become NaN.
        """
        dtype = torch.promote_types(q.dtype, torch.float32)
        unit_q, unit_k = F.normalize(q.to(dtype), dim=-1), F.normalize(k.to(dtype), dim=-1)
        return (unit_q * self.temperature(dtype)).to(q.dtype), unit_k.to(k.dtype), 1.0

    def temperature(self, dtype: torch.dtype) -> Tensor:
        """-> (H, 1, 1): what a cosine is multiplied by."""
        return self.log_scale.to(dtype).clamp(max=math.log(100)).exp()


class KeylessBiasLinear(nn.Module):
    """V2: C -> 3 * C for q, k, v, where k has no bias."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))

    @property
    def bias(self) -> Tensor:
        """(3 * C)."""
        return torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., 3 * C)."""
        return F.linear(x, self.weight, self.bias)


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
        self.memo = Memo()

    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        layout = self.border(x.shape[1:-1], self.window, self.shift)
        if runs_at_once(x) and math.prod(layout.window) >= FUSED_FROM and goes_in_pieces(self, x):
            offsets = self.offsets(Gathered(layout, self.num_heads))
            parts = self.qkv, self.similarity, self.proj
            return self.dropout(attend_in_turn(x, layout, self.num_heads, offsets, parts))
        qkv = self.qkv(x)
        padding = None if layout.padded == layout.grid else self.padding(x).to(qkv.dtype)
        return self.dropout(self.proj(self.mix(qkv, padding, layout)))

    def padding(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (3 * C): query, key and value of a token of zeros."""
        if isinstance(self.qkv, nn.Linear | KeylessBiasLinear) and self.qkv.bias is not None:
            return self.qkv.bias  # the product is zero, and as costly as that of a small image
        return self.qkv(x.new_zeros(x.shape[-1]))

    def mix(self, qkv: Tensor, padding: Tensor | None, layout: RolledLayout) -> Tensor:
        """(B, *S, 3 * C) -> (B, *S, C); tokens beyond the grid are `padding`, (3 * C)."""
        windows = (Gathered if runs_at_once(qkv) else Viewed)(layout, self.num_heads)
        q, k, v = windows.split(qkv, padding)
        q, k, scale = self.similarity(q, k)
        offsets = self.offsets(windows)
        x = windows.attend(q, k, v, scale, offsets, self.attention_dropout if self.training else 0.0)
        return windows.join(x)

    def offsets(self, windows: Gathered | Viewed) -> Tensor:
        """-> what is added to the scores of `windows`, remembered where it may be."""
        layout = windows.layout

        def made() -> Tensor:
            return windows.offsets(self.bias(layout.window))

        return self.remembered(layout, made) if isinstance(windows, Gathered) else made()

    def remembered(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What `make` makes of the position bias; in training anew each time, as it may draw at random."""
        if self.training:
            self.memo.forget()
            return make()
        return self.memo(key, self.bias.parameters(), make)
