"""The residual block, in the two orders that Swin uses.

Shapes: B batch, *S grid size, C channels.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .fast.chunking import by_token, learned_by_token
from .fast.recompute import through


class DropPath(nn.Module):
    """In training, drops a residual branch for a random part of the batch (stochastic depth)."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        alive = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) < keep
        return x * (alive.to(x.dtype) / keep)


class MLP(nn.Module):
    """(..., C) -> (..., C), by way of `hidden` channels."""

    looks_at_one_token = True

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0, *, output_bias: bool = True):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.activation = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim, bias=output_bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return through(self.activation, self.fc1(x), self.outward)

    def outward(self, hidden: Tensor) -> Tensor:
        """(..., hidden) -> (..., C)."""
        return self.dropout(self.fc2(self.dropout(hidden)))


class Block(nn.Module, ABC):
    """(B, *S, C) -> (B, *S, C): `token_mixer` moves information between tokens, `channel_mixer` within."""

    def __init__(self, dim: int, token_mixer: nn.Module, channel_mixer: nn.Module, drop_path: float):
        super().__init__()
        self.norm1, self.token_mixer = nn.LayerNorm(dim), token_mixer
        self.norm2, self.channel_mixer = nn.LayerNorm(dim), channel_mixer
        self.drop_path = DropPath(drop_path)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""


class PreNormBlock(Block):
    """V1, Swin-MLP, Swin-MoE, Video (paper, eq. 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        x = x + self.drop_path(through(self.norm1, x, self.token_mixer))
        return by_token(self, self.mix_channels, x)

    def mix_channels(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        parts = self.norm2, self.channel_mixer
        return x + self.drop_path(learned_by_token(parts, self.change_channels, x))

    def change_channels(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C): what the residual joins."""
        return through(self.norm2, x, self.channel_mixer)


class PostNormBlock(Block):
    """V2 (V2 paper, section 3.2: the branch is normalised before it joins, the sum is not).

    `main_norm` stands on the main branch after some blocks of the largest models.
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

    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        x = x + self.drop_path(self.norm1(self.token_mixer(x)))
        return by_token(self, self.mix_channels, x)

    def mix_channels(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        parts = self.channel_mixer, self.norm2
        return self.main_norm(x + self.drop_path(learned_by_token(parts, self.change_channels, x)))

    def change_channels(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C): what the residual joins."""
        return self.norm2(self.channel_mixer(x))
