"""Normed, channels-first feature maps for detectors and segmenters.

Shapes: B batch, *P size in pixels, *S grid size, C channels.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from ..core.backbone import Swin
from ..core.tiles import channels_first


class Pyramid(nn.Module):
    """Feature maps of some stages, each with its own norm: (B, in_channels, *P) -> (B, C, *S).

    This is how the detection and segmentation forks take features.
    """

    backbone_parts: ClassVar[tuple[str, ...]] = ("norms",)

    def __init__(self, backbone: Swin, out_indices: Sequence[int]):
        """Wrap `backbone`.

        Raises:
            ValueError: `out_indices` are not ascending numbers of stages.
        """
        super().__init__()
        stages = len(backbone.stages)
        if list(out_indices) != sorted({i for i in out_indices if 0 <= i < stages}) or not out_indices:
            raise ValueError(f"out_indices {tuple(out_indices)} must be ascending and within 0..{stages - 1}")
        self.backbone = backbone
        self.norms = nn.ModuleDict({str(i): nn.LayerNorm(backbone.spec.widths[i]) for i in out_indices})

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Compute feature maps, finest first: (B, in_channels, *P) -> [(B, C, *S), ...]."""
        features = self.backbone(pixels)
        return [channels_first(norm(features[int(i)])).contiguous() for i, norm in self.norms.items()]
