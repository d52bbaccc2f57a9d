"""Loss of masked image modelling.

Shapes: B batch, C channels, *P size in pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def masked_l1(reconstruction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the mean absolute error of (B, C, *P) where `mask` (B, 1, *P) is 1 (paper, eq. 1).

    In at least fp32.
    """
    exact = torch.promote_types(reconstruction.dtype, torch.float32)
    errors = (target - reconstruction.to(exact)).abs() * mask
    return errors.sum() / (mask.sum() + 1e-5) / target.shape[1]


def locally_normed(pixels: Tensor, window: int) -> Tensor:
    """Norm every pixel by mean and spread of the `window` around it: (B, C, *P) -> (B, C, *P).

    As SimMIM trains V2, with windows of 47.
    """
    mean, spread = surroundings(pixels, window)
    return (pixels - mean) / spread


def surroundings(pixels: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return mean and spread of the `window` of pixels around each, both (B, C, *P).

    The variance is the unbiased one of the pixels that lie inside; the spread is above 0 everywhere.
    """
    axes, edge = pixels.ndim - 2, window // 2

    def average(x: Tensor, *, over_padding: bool) -> Tensor:
        pool = AVERAGE[axes]
        return pool(x, window, stride=1, padding=edge, count_include_pad=over_padding)

    count = average(pixels.new_ones(1, 1, *pixels.shape[2:]), over_padding=True) * window**axes
    mean = average(pixels, over_padding=False)
    variance = (average(pixels**2, over_padding=False) - mean**2) * count / (count - 1)
    return mean, (variance.clamp(min=0) + 1e-6).sqrt()
