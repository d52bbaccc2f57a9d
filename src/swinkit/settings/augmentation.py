"""Settings of `data.augment`, the augmentation of single pictures. Torch-free."""

import math
from dataclasses import dataclass
from typing import Annotated

from ..errors import require
from ..type_check import require_kinds

LARGEST = 10  # magnitude of RandAugment
OF_RGB = ("operations", "colour")  # the fields that are for RGB pictures alone


@dataclass(frozen=True, kw_only=True)
class ImageAugmentation:
    """Crop, flip and colours of single pictures; by default as the papers train classifiers.

    Raises:
        UsageError: a field is out of range.
    """

    scale: Annotated[
        tuple[float, float] | None,
        "share of a picture's area that a random crop has, [least,most]; null: cropped as in evaluation",
    ] = (0.08, 1.0)
    ratio: Annotated[tuple[float, float], "width to height of a random crop, [least,most]"] = (3 / 4, 4 / 3)
    shift: Annotated[
        int, "pixels by which a picture is moved at most, zeros moving in; instead of a random crop"
    ] = 0
    flip: Annotated[float, "probability that a picture is mirrored"] = 0.5
    operations: Annotated[int, "operations of RandAugment for each picture"] = 2
    magnitude: Annotated[float, "magnitude of RandAugment's operations, in [0, 10]"] = 9.0
    magnitude_std: Annotated[float, "standard deviation of the magnitude"] = 0.5
    colour: Annotated[
        float, "jitter of brightness, contrast and saturation, in [0, 1]; instead of RandAugment"
    ] = 0.0

    def __post_init__(self) -> None:
        """Check every field."""
        require_kinds(self, "augmentation.")
        self._require_crop()
        for name in ("flip", "colour"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"augmentation.{name}", value, "in [0, 1]")
        for name in ("operations", "magnitude_std"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"augmentation.{name}", value, "0 or more")
        right = 0 <= self.magnitude <= LARGEST
        require(right, "augmentation.magnitude", self.magnitude, f"in [0, {LARGEST}]")
        alone = not (self.colour and self.operations)
        require(alone, "augmentation.colour", self.colour, "0 unless augmentation.operations is 0")

    def require_fits(self, axes: int, channels: int) -> None:
        """Raise UsageError if a field is for RGB pictures, and the inputs have other axes or channels."""
        if (axes, channels) != (2, 3):
            for name in OF_RGB:
                value = getattr(self, name)
                require(value == 0, f"augmentation.{name}", value, "0, since it is for RGB pictures alone")

    def _require_crop(self) -> None:
        """Check the fields of the crop."""
        if self.scale is not None:
            right = 0 < self.scale[0] <= self.scale[1] <= 1
            require(right, "augmentation.scale", self.scale, "null, or two rising shares in (0, 1]")
        right = 0 < self.ratio[0] <= self.ratio[1]
        require(right, "augmentation.ratio", self.ratio, "two rising numbers above 0")
        right = self.shift >= 0 and not (self.shift and self.scale)
        require(right, "augmentation.shift", self.shift, "0 or more, and 0 unless augmentation.scale is null")
