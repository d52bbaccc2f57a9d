"""Windows by views of the grid, each with a mask of its own: what compilers and exporters see.

The plain twin of `gathering.py`, and the definition of what both compute.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .kernels import attend
from .windows import RolledLayout


@dataclass(frozen=True)
class Viewed:
    """The windows of `layout`, in its own order."""

    layout: RolledLayout
    heads: int

    def split(self, qkv: Tensor, padding: Tensor | None) -> Tensor:
        """(B, *S, 3 * C) -> (3, B, W, H, N, D); tokens beyond the grid are `padding`, (3 * C)."""
        windows = self.layout.partition(qkv)
        if padding is not None:
            real = self.layout.partition(torch.ones_like(qkv[:1, ..., :1]))
            windows = torch.where(real > 0, windows, padding)
        return windows.unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)

    def join(self, x: Tensor) -> Tensor:
        """(B, W, H, N, D) -> (B, *S, C)."""
        return self.layout.merge(x.transpose(2, 3).flatten(3))

    def offsets(self, bias: Tensor) -> Tensor:
        """(H, N, N) -> the same, or (W, H, N, N) where windows are masked."""
        mask = self.layout.mask(bias.device)
        return bias if mask is None else bias + mask[:, None]

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, scale: float, offsets: Tensor, dropout: float
    ) -> Tensor:
        """Three (B, W, H, N, D) -> (B, W, H, N, D)."""
        return attend(q * scale, k, v, offsets, dropout)
