"""From a decoded picture or clip to the pixels a model takes: resize, crop, normalise.

A fact of the weights, saved with them.

Shapes: C channels, t frames, h, w pixels.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.spec import Size
from ..errors import DataError, UsageError, require
from .normalisation import MEAN, STD

Interpolation = Literal["bicubic", "bilinear"]
LONGEST = 16  # times the shorter side is resized at most: what lies beyond is cut off afterwards anyway


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a model wants its pictures, or clips.

    The shorter side is resized to `resize` pixels, then the middle `crop` (h, w) is cut out; with
    `resize` None the whole picture is squeezed into `crop`. Of a clip, whose `crop` is (t, h, w), t frames at
    equal distances are taken, each the middle of its part. Mean and std are of each channel in [0, 1].

    Raises:
        UsageError: a field has a wrong type or value.
    """

    crop: Size
    resize: int | None
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what could not have been meant."""
        crop, least = self.crop, "numbers above 0, (height, width) or (frames, height, width)"
        require(any(is_numbers(crop, int, n) for n in (2, 3)) and min(crop) > 0, "crop", crop, least)
        if self.resize is not None:
            side = max(crop[-2:])
            enough = is_numbers((self.resize,), int, 1) and self.resize >= side
            require(enough, "resize", self.resize, f"None or a number of pixels of at least {side}")
        names = get_args(Interpolation)
        known = self.interpolation in names
        require(known, "interpolation", self.interpolation, " or ".join(map(repr, names)))
        count = len(self.mean) if isinstance(self.mean, tuple) else 0
        each = count > 0 and is_numbers(self.mean, (int, float), count)
        require(
            each, "mean", self.mean, "a number for each channel, such as of red, green and blue in [0, 1]"
        )
        spread = is_numbers(self.std, (int, float), count) and min(self.std) > 0
        require(spread, "std", self.std, f"above 0 for each of {count} channels")
        first = is_numbers((self.version,), int, 1) and self.version == 1
        require(first, "version", self.version, "1, all that this swinkit reads")

    @property
    def channels(self) -> int:
        """C."""
        return len(self.mean)

    def fit(self, image: Tensor) -> Tensor:
        """(C, h, w) or (C, t, h, w) -> (C, *crop) of the same type, antialiased."""
        *frames, height, width = self.crop
        if frames:
            image = image[:, middles(image.shape[1], *frames)]
        if self.resize is None:
            return resized(image, (height, width), self.interpolation)
        shorter = min(image.shape[-2:])
        image = center_crop(image, *(min(side, shorter * LONGEST) for side in image.shape[-2:]))
        sides = (self.resize * side // shorter for side in image.shape[-2:])
        return center_crop(resized(image, tuple(sides), self.interpolation), height, width)

    def normalise(self, images: Tensor) -> Tensor:
        """(..., C, *crop) uint8, or floats of which 1 is brightest -> float32, of zero mean and unit spread.

        Over the training images, that is.
        """
        mean, std = self.by_channel(images)
        shares = images if images.is_floating_point() else images.float() / 255
        return (shares - mean) / std

    def as_images(self, pixels: Tensor) -> Tensor:
        """(..., C, *crop) normalised -> uint8, the nearest colours that can be shown. Undoes `normalise`."""
        mean, std = self.by_channel(pixels)
        return ((pixels * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)

    def by_channel(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std, each (C, 1, ...), on the device of these."""
        shape = (-1, *(1 for _ in self.crop))
        mean, std = (
            torch.tensor(values, device=images.device).view(shape) for values in (self.mean, self.std)
        )
        return mean, std

    def __call__(self, image: Tensor) -> Tensor:
        """(C, *P) -> (C, *crop) float32, ready for the model."""
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


def resized(image: Tensor, size: Size, interpolation: Interpolation) -> Tensor:
    """(..., h, w), with at least one axis before -> (..., *size) of the same type, antialiased.

    As torchvision's `resize`, for which a prediction would wait: it takes longer than torch to import. To the
    pixel, but for bilinear bytes on processors without AVX2, where torchvision takes the way through floats
    and this gives the same bytes as on every other processor.
    """
    if image.shape[-2:] == size:
        return image
    pixels = image.reshape(-1, *image.shape[-3:])
    # Of other types, and of bytes on a GPU, torch makes none.
    if image.dtype not in (torch.float32, torch.float64) and (image.dtype != torch.uint8 or not image.is_cpu):
        pixels = pixels.float()
    pixels = F.interpolate(pixels, size, mode=interpolation, antialias=True)
    if pixels.is_floating_point() and not image.is_floating_point():
        ends = torch.iinfo(image.dtype)
        pixels = pixels.round().clamp(ends.min, ends.max)  # bicubic curves overshoot
    return pixels.to(image.dtype).reshape(*image.shape[:-2], *size)


def center_crop(image: Tensor, height: int, width: int) -> Tensor:
    """(..., h, w) -> (..., height, width), of which neither is larger."""
    top, left = (round((side - cut) / 2) for side, cut in zip(image.shape[-2:], (height, width), strict=True))
    return image[..., top : top + height, left : left + width]


def middles(frames: int, count: int) -> list[int]:
    """Of `count` equal parts of a clip, the frame in the middle of each."""
    return [(2 * i + 1) * frames // (2 * count) for i in range(count)]


def is_numbers(values: Any, kind: type | tuple[type, ...], count: int) -> bool:
    """Whether this is a tuple of `count` numbers of `kind`; True, False, NaN and infinity are none."""
    right = isinstance(values, tuple) and len(values) == count
    return right and all(isinstance(v, kind) and not isinstance(v, bool) and abs(v) < 2**31 for v in values)
