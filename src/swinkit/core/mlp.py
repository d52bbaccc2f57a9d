"""The MLP of a block, applied to each token by itself.

Shapes: C channels.
"""

from torch import Tensor, nn

from .fast import forwards as fast
from .fast.eager import fast_twin


class MLP(nn.Module):
    """Two linear layers with a GELU between them: (..., C) -> (..., C), by way of `hidden` channels."""

    mixes_tokens = False

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0, *, output_bias: bool = True):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.activation = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim, bias=output_bias)
        self.dropout = nn.Dropout(dropout)

    @fast_twin(fast.mlp)
    def forward(self, x: Tensor) -> Tensor:
        """Transform each token: (..., C) -> (..., C)."""
        return self.dropout(self.fc2(self.dropout(self.activation(self.fc1(x)))))
