"""Stochastic depth.

Shapes: B batch.
"""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: in training, drop a residual branch for a random part of the batch."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero some images and scale up the others: (B, ...) -> (B, ...)."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        alive = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) < keep
        return x * (alive.to(x.dtype) / keep)
