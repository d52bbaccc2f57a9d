"""What masked image modelling minimises.

Shapes: B batch, C channels, *P size in pixels.
"""

import torch.nn.functional as F
from torch import Tensor

AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def masked_l1(reconstruction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(B, C, *P) against (B, C, *P) -> the mean absolute error where `mask` (B, 1, *P) is 1 (eq. 1)."""
    errors = (target - reconstruction).abs() * mask
    return errors.sum() / (mask.sum() + 1e-5) / target.shape[1]


def locally_normed(pixels: Tensor, window: int) -> Tensor:
    """(B, C, *P) -> the same with the mean and spread of the `window` of pixels around each taken out.

    As SimMIM trains V2, with windows of 47: the variance is the unbiased one of the pixels that lie inside.
    """
    axes, edge = pixels.ndim - 2, window // 2

    def average(x: Tensor, *, over_padding: bool) -> Tensor:
        pool = AVERAGE[axes]
        return pool(x, window, stride=1, padding=edge, count_include_pad=over_padding)

    count = average(pixels.new_ones(1, 1, *pixels.shape[2:]), over_padding=True) * window**axes
    mean = average(pixels, over_padding=False)
    spread = average(pixels**2, over_padding=False) - mean**2
    variance = (spread * count / (count - 1)).clamp(min=0)
    return (pixels - mean) / (variance + 1e-6).sqrt()
