"""Reconstruction head of SimMIM, which predicts pixels.

Shapes: B batch, *S grid size, C channels, *T pixels per token, *P = S * T size in pixels.
"""

import math
from typing import ClassVar

from torch import Tensor, nn

from ..core.patches import CONV
from ..core.spec import Size
from ..core.tiles import channels_first, channels_last, untile


class ReconstructionHead(nn.Module):
    """Norm, then one linear map from each token to its pixels: (B, *S, C) -> (B, in_channels, *P).

    SimMIM (https://arxiv.org/abs/2111.09886), section 3.3. The map is a convolution of size 1, so that
    weights load unchanged.
    """

    backbone_parts: ClassVar[tuple[str, ...]] = ("norm",)

    def __init__(self, width: int, in_channels: int, stride: Size):
        super().__init__()
        self.in_channels = in_channels
        self.stride = stride
        self.norm = nn.LayerNorm(width)
        self.decoder = CONV[len(stride)](width, in_channels * math.prod(stride), kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Predict pixels: (B, *S, C) -> (B, in_channels, *P)."""
        x = channels_last(self.decoder(channels_first(self.norm(features))))
        n = len(self.stride)
        tiles = x.unflatten(-1, (self.in_channels, *self.stride))  # (B, *S, in_channels, *stride)
        tiles = tiles.permute(*range(n + 1), *range(n + 2, 2 * n + 2), n + 1)
        return channels_first(untile(tiles))
