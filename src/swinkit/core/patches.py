"""Patch embedding, and patch merging between stages.

Shapes: B batch, *P size in pixels, *S grid size, C channels.
"""

import math

from torch import Tensor, nn

from .spec import Size
from .tiles import channels_first, channels_last, grid_of, pad_to, round_up, tile

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class PatchEmbed(nn.Module):
    """Patch embedding: (B, in_channels, *P) -> (B, *S, C).

    Sizes that are no multiple of the patch are zero-padded at the far end. It is a strided convolution, not
    `tile` and a linear layer, so that weights load unchanged and exporters recognise it.
    """

    def __init__(self, patch: Size, in_channels: int, dim: int, *, norm: nn.Module):
        super().__init__()
        self.patch = patch
        self.proj = CONV[len(patch)](in_channels, dim, kernel_size=patch, stride=patch)
        self.norm = norm

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed patches: (B, in_channels, *P) -> (B, *S, C)."""
        x = channels_last(pixels)
        x = pad_to(x, round_up(grid_of(x), self.patch))
        return self.norm(channels_last(self.proj(channels_first(x))))


def fold(x: Tensor, factor: Size) -> Tensor:
    """Concatenate the tokens of each tile: (B, *S, C) -> (B, *S / factor, prod(factor) * C).

    The tokens of a tile go into channels with the first axis fastest, as in the published weights.
    """
    n = len(factor)
    x = tile(pad_to(x, round_up(grid_of(x), factor)), factor)
    return x.permute(*range(n + 1), *range(2 * n, n, -1), 2 * n + 1).flatten(n + 1)


class NormThenReduce(nn.Module):
    """Patch merging of V1 and Video (paper, section 3.1): (B, *S, C) -> (B, *S / factor, 2 * C)."""

    def __init__(self, dim: int, factor: Size):
        super().__init__()
        self.factor = factor
        self.norm = nn.LayerNorm(math.prod(factor) * dim)
        self.reduction = nn.Linear(math.prod(factor) * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Merge tiles of tokens: (B, *S, C) -> (B, *S / factor, 2 * C)."""
        return self.reduction(self.norm(fold(x, self.factor)))


class ReduceThenNorm(nn.Module):
    """Patch merging of V2: (B, *S, C) -> (B, *S / factor, 2 * C)."""

    def __init__(self, dim: int, factor: Size):
        super().__init__()
        self.factor = factor
        self.reduction = nn.Linear(math.prod(factor) * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Merge tiles of tokens: (B, *S, C) -> (B, *S / factor, 2 * C)."""
        return self.norm(self.reduction(fold(x, self.factor)))
