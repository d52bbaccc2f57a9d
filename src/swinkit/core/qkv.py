"""V2's linear layer for queries, keys and values; the other models use `nn.Linear`.

Shapes: C channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeylessBiasLinear(nn.Module):
    """Linear layer for q, k, v in which k has no bias: (..., C) -> (..., 3 * C)."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))

    @property
    def bias(self) -> Tensor:
        """The bias of all three, (3 * C), with zeros for k."""
        return torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])

    def forward(self, x: Tensor) -> Tensor:
        """Compute q, k and v: (..., C) -> (..., 3 * C)."""
        return F.linear(x, self.weight, self.bias)
