"""What training does to small pictures: a shift, a mirror, and CutMix; whole batches at once, reproducibly.

Every draw follows from (seed, epoch, sample), never from the order in which samples are read.

Shapes: B batch, h, w pixels, K classes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How much of it."""

    shift: int = 4  # at most, in pixels
    mirror: float = 0.5  # probability per picture
    cutmix: float = 0.5  # probability per batch
    cutmix_epochs: int | None = None  # in so many epochs from the first; None: in all
    smoothing: float = 0.1  # of the labels


def shifted(images: Tensor, draws: Tensor, most: int) -> Tensor:
    """(B, 3, h, w) moved by up to `most` pixels each way, zeros moving in; `draws` (B, 2) in [0, 1)."""
    height, width = images.shape[2:]
    start = (draws * (2 * most + 1)).long()  # of the crop from the padded picture
    rows = start[:, :1] + torch.arange(height)
    columns = start[:, 1:] + torch.arange(width)
    padded = F.pad(images, (most,) * 4)
    batch = torch.arange(len(images))[:, None, None]
    return padded.movedim(1, -1)[batch, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """(B, 3, h, w), left and right exchanged in those `chosen` (B,)."""
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def cutmixed(images: Tensor, targets: Tensor, share: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, h, w), (B, K) -> the same: a rectangle of each picture's neighbour replaces its own pixels.

    Labels count by their share of pixels. CutMix (Yun et al. 2019) with a uniform share; `centre` (2,) in
    [0, 1) places the rectangle.
    """
    height, width = images.shape[2:]
    half = [side * (1 - share.item()) ** 0.5 / 2 for side in (height, width)]
    at = [side * place.item() for side, place in zip((height, width), centre, strict=True)]
    (top, bottom), (left, right) = (
        (max(0, round(a - b)), min(side, round(a + b)))
        for a, b, side in zip(at, half, (height, width), strict=True)
    )
    images = images.clone()
    images[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return images, kept * targets + (1 - kept) * targets.roll(1, 0)


def uniform(samples: Tensor, count: int, *, seed: int, epoch: int) -> Tensor:
    """(B,) sample numbers -> (B, count) float64 draws from [0, 1).

    Each is a hash of (seed, epoch, sample, which): the finaliser of splitmix64 (Steele, Lea and Flood
    2014), in wrapping 64-bit arithmetic.
    """
    state = samples[:, None] * -0x61C8864680B583EB + torch.arange(1, count + 1) * -0x4B47D0C5BF1A3B59
    state = state + (seed * 1_000_003 + epoch + 1) * 0x2545F4914F6CDD1D % 2**63
    state = (state ^ logical_right(state, 30)) * -0x40A7B892E31B1A47
    state = (state ^ logical_right(state, 27)) * -0x6B2FB644ECCEEE15
    state = state ^ logical_right(state, 31)
    return logical_right(state, 11).double() * 2.0**-53


def logical_right(x: Tensor, bits: int) -> Tensor:
    """int64 shifted right with zeros moving in."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
