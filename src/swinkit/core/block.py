"""The residual block, in the two orders that Swin uses, with its MLP and stochastic depth.

Shapes: B batch, *S grid size, C channels.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from .fast import forwards as fast


class Block(nn.Module, ABC):
    """Two residual branches: `token_mixer` moves information between tokens, `channel_mixer` within each."""

    def __init__(self, dim: int, token_mixer: nn.Module, channel_mixer: nn.Module, drop_path: float):
        super().__init__()
        self.norm1, self.token_mixer = nn.LayerNorm(dim), token_mixer
        self.norm2, self.channel_mixer = nn.LayerNorm(dim), channel_mixer
        self.drop_path = DropPath(drop_path)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Add both branches: (B, *S, C) -> (B, *S, C)."""


class PreNormBlock(Block):
    """Block of V1, Swin-MLP, Swin-MoE and Video, which norms what enters a branch (paper, eq. 3)."""

    @fast.twin(fast.pre_norm_block)
    def forward(self, x: Tensor) -> Tensor:
        """Add both branches: (B, *S, C) -> (B, *S, C)."""
        x = x + self.drop_path(self.token_mixer(self.norm1(x)))
        return x + self.drop_path(self.channel_mixer(self.norm2(x)))


class PostNormBlock(Block):
    """Block of V2, which norms what leaves a branch, not the sum (V2 paper, section 3.2).

    `main_norm` norms the main branch after some blocks of the largest models, and is an identity elsewhere.
    """

    def __init__(
        self,
        dim: int,
        token_mixer: nn.Module,
        channel_mixer: nn.Module,
        drop_path: float,
        *,
        main_norm: nn.Module,
    ):
        super().__init__(dim, token_mixer, channel_mixer, drop_path)
        self.main_norm = main_norm

    @fast.twin(fast.post_norm_block)
    def forward(self, x: Tensor) -> Tensor:
        """Add both branches: (B, *S, C) -> (B, *S, C)."""
        x = x + self.drop_path(self.norm1(self.token_mixer(x)))
        return self.main_norm(x + self.drop_path(self.norm2(self.channel_mixer(x))))


class MLP(nn.Module):
    """Two linear layers with a GELU between them: (..., C) -> (..., C), by way of `hidden` channels."""

    mixes_tokens: ClassVar[bool] = False  # tokens are independent, so `core/fast` may split them

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0, *, output_bias: bool = True):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.activation = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim, bias=output_bias)
        self.dropout = nn.Dropout(dropout)

    @fast.twin(fast.mlp)
    def forward(self, x: Tensor) -> Tensor:
        """Transform each token: (..., C) -> (..., C)."""
        return self.dropout(self.fc2(self.dropout(self.activation(self.fc1(x)))))


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
