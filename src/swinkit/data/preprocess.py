"""From a decoded picture to the pixels a model takes: resize, crop, normalise.

A fact of the weights, saved with them.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..core.spec import Size
from ..errors import DataError, UsageError, require
from .images import IMAGENET_MEAN, IMAGENET_STD

Interpolation = Literal["bicubic", "bilinear"]
LONGEST = 16  # times the shorter side is resized at most: what lies beyond is cut off afterwards anyway


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a model wants its pictures.

    The shorter side is resized to `resize` pixels, then the middle `crop` (h, w) is cut out; with
    `resize` None the whole picture is squeezed into `crop`. Mean and std are of RGB in [0, 1].

    Raises:
        UsageError: a field has a wrong type or value.
    """

    crop: Size
    resize: int | None
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what could not have been meant."""
        crop, least = self.crop, "two numbers of pixels above 0, (height, width)"
        require(is_numbers(crop, int, 2) and min(crop) > 0, "crop", crop, least)
        if self.resize is not None:
            enough = is_numbers((self.resize,), int, 1) and self.resize >= max(crop)
            require(enough, "resize", self.resize, f"None or a number of pixels of at least {max(crop)}")
        names = get_args(Interpolation)
        known = self.interpolation in names
        require(known, "interpolation", self.interpolation, " or ".join(map(repr, names)))
        colours = is_numbers(self.mean, (int, float), 3)
        require(colours, "mean", self.mean, "three numbers, of red, green and blue in [0, 1]")
        spread = is_numbers(self.std, (int, float), 3) and min(self.std) > 0
        require(spread, "std", self.std, "three numbers above 0")
        first = is_numbers((self.version,), int, 1) and self.version == 1
        require(first, "version", self.version, "1, all that this swinkit reads")

    def fit(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, *crop) uint8, antialiased."""
        # Imported for the first picture, as any part of torchvision takes longer than torch to import.
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2 import functional as F

        if self.resize is None:
            return F.resize(
                image, list(self.crop), interpolation=InterpolationMode(self.interpolation), antialias=True
            )
        shorter = min(image.shape[1:])
        image = F.center_crop(image, [min(side, shorter * LONGEST) for side in image.shape[1:]])
        if shorter != self.resize:
            image = F.resize(
                image, [self.resize], interpolation=InterpolationMode(self.interpolation), antialias=True
            )
        return F.center_crop(image, list(self.crop))

    def normalise(self, images: Tensor) -> Tensor:
        """(..., 3, h, w) uint8 -> float32, zero mean and unit spread over the training images."""
        mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def as_images(self, pixels: Tensor) -> Tensor:
        """(..., 3, h, w) normalised -> uint8, the nearest colours that can be shown. Undoes `normalise`."""
        mean, std = (torch.tensor(v, device=pixels.device).view(-1, 1, 1) for v in (self.mean, self.std))
        return ((pixels * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)

    def __call__(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, *crop) float32, ready for the model."""
        return self.normalise(self.fit(image))

    def to_json(self) -> dict[str, Any]:
        """As saved in `preprocess.json`."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: object) -> "Preprocess":
        """Read what `to_json` wrote.

        Raises:
            DataError: a field is missing, unknown or wrong, or the file is of a later version.
        """
        if not isinstance(values, dict):
            raise DataError(f"preprocess.json: expected an object of fields, got {type(values).__name__}")
        if values.get("version") != 1:
            raise DataError(f"preprocess.json: version {values.get('version')!r}; this swinkit reads 1")
        known = {field.name for field in fields(cls)}
        wrong = [f"{key!r} is missing" for key in sorted(known - set(values))]
        wrong += [f"{key!r} is not known" for key in sorted(set(values) - known)]
        if wrong:
            raise DataError(f"preprocess.json: {', '.join(wrong)}")
        arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return cls(**arguments)
        except UsageError as error:
            raise DataError(f"preprocess.json: {error}") from None


def is_numbers(values: Any, kind: type | tuple[type, ...], count: int) -> bool:
    """Whether this is a tuple of `count` numbers of `kind`; True, False, NaN and infinity are none."""
    right = isinstance(values, tuple) and len(values) == count
    return right and all(isinstance(v, kind) and not isinstance(v, bool) and abs(v) < 2**31 for v in values)
