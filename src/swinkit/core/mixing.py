"""Swin-MLP's token mixer: learned weights for each pair of places in a window, instead of attention.

Shapes: B batch, *S grid size, W windows, N tokens in a window, C channels, H heads, D = C / H.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from .borders import MixingBorder
from .spec import BlockSpec
from .tiles import grid_of


class WindowMixing(nn.Module):
    """A weighted sum of all tokens of a window, for each token and head: (B, *S, C) -> (B, *S, C).

    The weights belong to places of the window, so the window never shrinks: a smaller grid is padded.
    """

    parameter_roles: ClassVar[Mapping[str, str]] = {"bias": "vector"}  # one for each head

    def __init__(self, block: BlockSpec, border: MixingBorder):
        super().__init__()
        self.num_heads, self.window, self.shift = block.num_heads, block.window, block.shift
        self.border = border
        tokens = math.prod(block.window)
        self.weight = nn.Parameter(torch.empty(block.num_heads, tokens, tokens))
        self.bias = nn.Parameter(torch.empty(block.num_heads, tokens))

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens within windows: (B, *S, C) -> (B, *S, C)."""
        layout = self.border(grid_of(x), self.window, self.shift)
        return layout.merge(self.mix(layout.partition(x)))

    def mix(self, x: Tensor) -> Tensor:
        """Mix the tokens of each window: (B, W, N, C) -> (B, W, N, C)."""
        batch, windows, depth = *x.shape[:2], x.shape[-1] // self.num_heads
        x = x.unflatten(-1, (self.num_heads, depth)).permute(3, 2, 0, 1, 4).flatten(2)  # H, N, B * W * D
        x = torch.baddbmm(self.bias[..., None], self.weight, x).unflatten(2, (batch, windows, depth))
        return x.permute(2, 3, 1, 0, 4).flatten(3)
