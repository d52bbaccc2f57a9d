"""Multi-head attention inside windows.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

from torch import Tensor, nn

from .borders import Border
from .fast import forwards as fast
from .fast.eager import fast_twin
from .kernels import attend
from .position import RelativeBias
from .spec import BlockSpec
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

    @fast_twin(fast.window_attention)
    def forward(self, x: Tensor) -> Tensor:
        """Attend within windows: (B, *S, C) -> (B, *S, C)."""
        layout = self.border(x.shape[1:-1], self.window, self.shift)
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
