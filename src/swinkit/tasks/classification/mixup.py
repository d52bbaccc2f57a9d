"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), one of them for a whole batch, as timm does.

Shapes: B batch, h, w pixels, K classes.
"""

import math
import random
from dataclasses import dataclass

from torch import Tensor

from ...core.spec import Size
from .settings import Augmentation


@dataclass(frozen=True)
class Mix:
    """Parameters by which one batch is mixed: each image keeps a `share`, and gets the rest from its partner.

    With `box`, top, bottom, left, right, the rest is that rectangle; else it is spread over the picture. The
    partner of the first picture is the last one, and so on.
    """

    share: float
    box: tuple[int, int, int, int] | None

    def pixels(self, images: Tensor) -> Tensor:
        """Mix images (B, 3, h, w)."""
        if self.box is None:
            return self.share * images + (1 - self.share) * images.flip(0)
        top, bottom, left, right = self.box
        images = images.clone()
        images[..., top:bottom, left:right] = images[..., top:bottom, left:right].flip(0)
        return images

    def targets(self, targets: Tensor) -> Tensor:
        """Mix probabilities (B, K) by the same shares."""
        return self.share * targets + (1 - self.share) * targets.flip(0)


UNMIXED = Mix(1.0, None)


def draw_mix(settings: Augmentation, epoch: int, size: Size, stream: random.Random) -> Mix:
    """Draw how a batch of images of `size` (h, w) is mixed."""
    if not settings.mixes(epoch) or stream.random() >= settings.mixing:
        return UNMIXED
    cut = not settings.mixup or (settings.cutmix > 0 and stream.random() < settings.switch)
    alpha = settings.cutmix if cut else settings.mixup
    share = stream.betavariate(alpha, alpha)
    return cutmix_box(size, share, stream) if cut else Mix(share, None)


def cutmix_box(size: Size, share: float, stream: random.Random) -> Mix:
    """Draw a CutMix rectangle in the shape of the image, at any place, that leaves about `share`.

    The part outside of the picture is cut off, and the share is then that of the pixels that stay.
    """
    edges = []
    for side in size:
        length, middle = int(side * (1 - share) ** 0.5), stream.randrange(side)
        edges += [max(middle - length // 2, 0), min(middle + (length + 1) // 2, side)]
    top, bottom, left, right = edges
    return Mix(1 - (bottom - top) * (right - left) / (math.prod(size)), (top, bottom, left, right))
