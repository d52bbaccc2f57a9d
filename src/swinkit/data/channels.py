"""Channels of the images of a data set: how many there are, and which values can be learned from.

Shapes: C channels, *P size in pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .images import ImageError

RGB = 3  # channels
LARGEST_NORMALISED = 65504.0  # the largest number of float16; one beyond it turns a whole training to NaN


@dataclass(frozen=True)
class Channels:
    """Channels that a recipe expects: `mean` and `std` of each, in the unit of the images' values."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def count(self) -> int:
        """Number of channels, C."""
        return len(self.mean)

    def require_usable(self, pixels: Tensor, name: str) -> None:
        """Check the values of an image (C, *P); integers are always usable.

        Raises:
            ImageError: a value is NaN or infinite, or larger than half precision holds once normalised.
        """
        if not pixels.is_floating_point():
            return
        if not pixels.isfinite().all():
            raise ImageError(name, describe_not_finite(pixels))
        for channel, (values, mean, std) in enumerate(zip(pixels, self.mean, self.std, strict=True)):
            for extreme in (values.min().item(), values.max().item()):
                if abs(extreme - mean) / std > LARGEST_NORMALISED:
                    raise ImageError(
                        name,
                        f"holds {extreme:g} in channel {channel}, more than {LARGEST_NORMALISED:.0f} times "
                        f"data.std={std:g} from data.mean={mean:g}; replace such values, which often mean "
                        "that there is none, or set data.mean and data.std to the unit of the data",
                    )


def channels_to_read(mean: tuple[float, ...], std: tuple[float, ...]) -> Channels | None:
    """Return the channels that files must store; None for three, because all pictures become RGB then."""
    return None if len(mean) == RGB else Channels(mean, std)


def describe_not_finite(pixels: Tensor) -> str:
    """Return how many values of (C, *P) are NaN or infinite, where the first is, and the remedy."""
    counts = {"NaN": pixels.isnan().sum().item(), "infinite": pixels.isinf().sum().item()}
    told = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    channel, *place = torch.argwhere(~pixels.isfinite())[0].tolist()
    return (
        f"holds {told} of {pixels.numel()} numbers, the first in channel {channel} at {tuple(place)}; "
        "replace them, for example by `numpy.nan_to_num`, or take the file out"
    )
