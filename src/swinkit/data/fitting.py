"""Parts of a preprocessing: each fits a sample to a model, and says where it lies in the original.

Shapes: C channels, t frames, h, w pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.spec import Size
from ..errors import require
from .placement import Placement
from .sample import Sample
from .transform import warp_target

Interpolation = Literal["bicubic", "bilinear"]
LONGEST = 16  # times the shorter side is resized at most: what lies beyond is cut off afterwards anyway


class Part(Protocol):
    """One step of a preprocessing, a frozen dataclass of plain values."""

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        ...


@dataclass(frozen=True)
class Fitted:
    """A sample on its way through the steps, and where it lies in the original."""

    sample: Sample
    placement: Placement

    def crop(self, height: int, width: int) -> "Fitted":
        """Cut out the middle."""
        image = self.sample.image
        top, left = (
            round((side - cut) / 2) for side, cut in zip(image.shape[-2:], (height, width), strict=True)
        )

        def warp(value: Any, fill: Any) -> Any:  # noqa: ARG001
            from torchvision.transforms.v2 import functional

            return functional.crop(value, top, left, height, width)

        image = image[..., top : top + height, left : left + width]
        target = warp_target(self.sample.target, warp)
        sample = replace(self.sample, image=image, target=target)
        return Fitted(sample, self.placement.crop(top, left, height, width))

    def resize(self, height: int, width: int, interpolation: Interpolation) -> "Fitted":
        """Resize, antialiased; masks take the nearest value."""

        def warp(value: Any, fill: Any) -> Any:  # noqa: ARG001
            from torchvision.transforms.v2 import functional

            return functional.resize(value, [height, width])

        image = resized(self.sample.image, (height, width), interpolation)
        sample = replace(self.sample, image=image, target=warp_target(self.sample.target, warp))
        return Fitted(sample, self.placement.resize(height, width))


@dataclass(frozen=True, kw_only=True)
class ResizeCrop:
    """Resizes the shorter side to `resize` pixels and cuts out the middle `crop` (h, w)."""

    resize: int
    crop: tuple[int, int]
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "crop", self.crop, 2)
        enough = is_numbers((self.resize,), int, 1) and self.resize >= max(self.crop)
        require(enough, "resize", self.resize, f"a number of pixels of at least {max(self.crop)}")
        require_interpolation(self.interpolation)

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        sides = sample.image.shape[-2:]
        shorter = min(sides)
        fitted = Fitted(sample, Placement.of(sample.image))
        height, width = (min(side, shorter * LONGEST) for side in sides)
        fitted = fitted.crop(height, width)
        height, width = (self.resize * side // shorter for side in (height, width))
        fitted = fitted.resize(height, width, self.interpolation).crop(*self.crop)
        return fitted.sample, fitted.placement


@dataclass(frozen=True, kw_only=True)
class Squeeze:
    """Resizes the whole image to `size` (h, w), whatever its shape."""

    size: tuple[int, int]
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "size", self.size, 2)
        require_interpolation(self.interpolation)

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        fitted = Fitted(sample, Placement.of(sample.image)).resize(*self.size, self.interpolation)
        return fitted.sample, fitted.placement


@dataclass(frozen=True, kw_only=True)
class FitWithin:
    """Resizes the shorter side to `shorter` pixels, or less if the longer one would exceed `longest`.

    Sides are rounded to the nearest pixel, as MMDetection does. A batch is then padded, right and below, to
    sides that `multiple` divides (`stack_padded`).
    """

    shorter: int
    longest: int
    multiple: int = 1
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "shorter", (self.shorter,), 1)
        require_sizes(self, "multiple", (self.multiple,), 1)
        enough = is_numbers((self.longest,), int, 1) and self.longest >= self.shorter
        require(enough, "longest", self.longest, f"a number of pixels of at least {self.shorter}")
        require_interpolation(self.interpolation)

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Return the size (h, w) that an image is resized to."""
        scale = min(self.shorter / min(height, width), self.longest / max(height, width))
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        fitted = Fitted(sample, Placement.of(sample.image))
        fitted = fitted.resize(*self.size_of(*fitted.placement.original), self.interpolation)
        return fitted.sample, fitted.placement


@dataclass(frozen=True, kw_only=True)
class SampleFrames:
    """Takes `count` frames of a clip (C, t, h, w): the middle one of each of as many equal parts."""

    count: int

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "count", (self.count,), 1)

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Take the frames; sizes and targets stay."""
        frames = middles(sample.image.shape[1], self.count)
        placement = replace(Placement.of(sample.image), frames=tuple(frames))
        return replace(sample, image=sample.image[:, frames]), placement


def fit_parts(parts: Sequence[Part], sample: Sample) -> tuple[Sample, Placement]:
    """Fit a sample by several parts, one after the other."""
    whole = Placement.of(sample.image)
    for part in parts:
        sample, step = part.fit(sample)
        scale = (whole.scale[0] * step.scale[0], whole.scale[1] * step.scale[1])
        offset = (
            whole.offset[0] * step.scale[0] + step.offset[0],
            whole.offset[1] * step.scale[1] + step.offset[1],
        )
        frames = whole.frames if step.frames is None else step.frames
        whole = Placement(whole.original, step.fitted, scale, offset, frames)
    return sample, whole


def stack_padded(images: Sequence[Tensor], multiple: int = 1, fill: float = 0) -> Tensor:
    """Return images (C, h, w) of any sizes as one batch (B, C, H, W), padded right and below with `fill`.

    H and W are the largest h and w, rounded up to a multiple of `multiple`.
    """
    height, width = (
        -(-max(image.shape[axis] for image in images) // multiple) * multiple for axis in (-2, -1)
    )
    batch = images[0].new_full((len(images), *images[0].shape[:-2], height, width), fill)
    for place, image in zip(batch, images, strict=True):
        place[..., : image.shape[-2], : image.shape[-1]] = image
    return batch


def resized(image: Tensor, size: Size, interpolation: Interpolation) -> Tensor:
    """Resize (..., h, w), with at least one axis before, to (..., *size) of the same type, antialiased.

    Gives the pixels of torchvision's `resize` without importing it, which takes longer than importing torch.
    Only for bilinear bytes on processors without AVX2, where torchvision computes in floats, this gives the
    bytes of every other processor.
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


def middles(frames: int, count: int) -> list[int]:
    """Return the frame in the middle of each of `count` equal parts of a clip."""
    return [(2 * i + 1) * frames // (2 * count) for i in range(count)]


def is_numbers(values: Any, kind: type | tuple[type, ...], count: int) -> bool:
    """Return whether this is a tuple of `count` numbers of `kind`; True, False, NaN and infinity are none."""
    right = isinstance(values, tuple) and len(values) == count
    return right and all(isinstance(v, kind) and not isinstance(v, bool) and abs(v) < 2**31 for v in values)


def require_sizes(owner: object, name: str, values: Any, count: int) -> None:
    """Raise UsageError unless `values` are `count` whole numbers above 0."""
    right = is_numbers(values, int, count) and min(values) > 0
    shown = values if count > 1 else getattr(owner, name)
    require(
        right, name, shown, "a whole number above 0" if count == 1 else "(height, width), numbers above 0"
    )


def require_interpolation(name: object) -> None:
    """Raise UsageError unless `name` is a known interpolation."""
    names = get_args(Interpolation)
    require(name in names, "interpolation", name, " or ".join(map(repr, names)))
