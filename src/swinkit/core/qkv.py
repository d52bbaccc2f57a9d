"""V2's linear layer for queries, keys and values; the other models use `nn.Linear`.

Shapes: C channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeylessBiasLinear(nn.Linear):
    """Linear layer for q, k, v in which k has no bias: (..., C) -> (..., 3 * C).

    It is an `nn.Linear`, so that tools which wrap linear layers, such as LoRA's, find it.
    """

    def __init__(self, dim: int):
        super().__init__(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))

    def reset_parameters(self) -> None:
        """Draw nothing: `core/init.py` fills the weights."""

    @property
    def bias(self) -> Tensor:
        """The bias of all three, (3 * C), with zeros for k."""
        return torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  as torch calls it
        """Compute q, k and v: (..., C) -> (..., 3 * C)."""
        return F.linear(input, self.weight, self.bias)
