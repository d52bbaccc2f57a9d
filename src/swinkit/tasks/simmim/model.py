"""SimMIM: learn from pictures without labels, by reconstructing the patches that were masked.

Xie et al. 2022, https://arxiv.org/abs/2111.09886. Works over any number of axes.

Shapes: B batch, *P size in pixels, *S grid of patches, C channels.
"""

import torch
from torch import Tensor, nn

from ...core.backbone import Swin
from ...core.init import truncated_normal
from ...core.tiles import crop
from ...heads.reconstruct import ReconstructionHead
from .losses import locally_normed, masked_l1


class SimMIM(nn.Module):
    """(B, in_channels, *P) pixels and (B, *S) mask -> (B, in_channels, *P), the reconstruction.

    With `target_window`, the target is normed by the mean and spread of that many pixels around each
    (V2's 47); without, it is the pixels themselves.
    """

    def __init__(self, backbone: Swin, target_window: int | None = None):
        super().__init__()
        spec = backbone.spec
        self.backbone = backbone
        self.target_window = target_window
        self.mask_token = nn.Parameter(torch.empty(spec.embed_dim))
        self.head = ReconstructionHead(spec.widths[-1], spec.in_channels, spec.strides[-1])
        truncated_normal(self.mask_token)

    def forward(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """(B, in_channels, *P), (B, *S) with 1 where a patch is masked -> (B, in_channels, *P)."""
        patches = self.backbone.embed(pixels)
        patches = torch.where(mask.bool().unsqueeze(-1), self.mask_token.to(patches.dtype), patches)
        whole = self.head(self.backbone.encode(patches)[-1])
        return crop(whole.movedim(1, -1), tuple(pixels.shape[2:])).movedim(-1, 1)

    def loss(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """(B, in_channels, *P), (B, *S) -> the error of the masked pixels, one number."""
        target = pixels if self.target_window is None else locally_normed(pixels, self.target_window)
        return masked_l1(self(pixels, mask), target, self.pixel_mask(mask, pixels))

    def pixel_mask(self, mask: Tensor, pixels: Tensor) -> Tensor:
        """(B, *S) of patches -> (B, 1, *P) of pixels, in the type of `pixels`."""
        for axis, size in enumerate(self.backbone.spec.patch, start=1):
            mask = mask.repeat_interleave(size, axis)
        return crop(mask.unsqueeze(-1), tuple(pixels.shape[2:])).movedim(-1, 1).to(pixels.dtype)
