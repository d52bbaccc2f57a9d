"""The residual block, in the two orders that Swin uses.

Shapes: B batch, *S grid size, C channels.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from .drop_path import DropPath
from .fast import forwards as fast
from .fast.eager import fast_twin


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

    @fast_twin(fast.pre_norm_block)
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

    @fast_twin(fast.post_norm_block)
    def forward(self, x: Tensor) -> Tensor:
        """Add both branches: (B, *S, C) -> (B, *S, C)."""
        x = x + self.drop_path(self.norm1(self.token_mixer(x)))
        return self.main_norm(x + self.drop_path(self.norm2(self.channel_mixer(x))))
