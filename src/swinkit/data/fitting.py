"""Parts of a preprocessing: each fits a sample to a model, and says where it lies in the original.

Shapes: C channels, t frames, h, w pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

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


@dataclass(frozen=True)
class Crop:
    """Cuts out a rectangle."""

    top: int
    left: int
    height: int
    width: int

    def image(self, image: Tensor) -> Tensor:
        """Cut (..., h, w)."""
        return image[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def annotation(self, value: Any, fill: Any) -> Any:  # noqa: ARG002  nothing is new
        """Cut boxes or masks."""
        from torchvision.transforms.v2 import functional

        return functional.crop(value, self.top, self.left, self.height, self.width)

    def placement(self, before: Placement) -> Placement:
        """Return where the rectangle lies in the original."""
        return before.crop(self.top, self.left, self.height, self.width)


@dataclass(frozen=True)
class Resize:
    """Resizes, antialiased; masks take the nearest value."""

    height: int
    width: int
    interpolation: Interpolation

    def image(self, image: Tensor) -> Tensor:
        """Resize (..., h, w)."""
        return resize(image, (self.height, self.width), self.interpolation)

    def annotation(self, value: Any, fill: Any) -> Any:  # noqa: ARG002  nothing is new
        """Resize boxes or masks."""
        from torchvision.transforms.v2 import functional

        return functional.resize(value, [self.height, self.width])

    def placement(self, before: Placement) -> Placement:
        """Return where the resized image lies in the original."""
        return before.resize(self.height, self.width)


@dataclass(frozen=True)
class TakeFrames:
    """Takes frames of a clip (C, t, h, w); targets stay."""

    frames: tuple[int, ...]

    def image(self, image: Tensor) -> Tensor:
        """Take the frames."""
        return image[:, list(self.frames)]

    def annotation(self, value: Any, fill: Any) -> Any:  # noqa: ARG002
        """Return boxes or masks as they are."""
        return value

    def placement(self, before: Placement) -> Placement:
        """Return the placement with the frames that were taken."""
        return replace(before, frames=self.frames)


Step = Crop | Resize | TakeFrames


class Part(ABC):
    """One part of a preprocessing, a frozen dataclass of plain values."""

    @abstractmethod
    def steps(self, shape: Size) -> Sequence[Step]:
        """Return the steps for an image or clip of this shape, in order."""

    @abstractmethod
    def describe(self) -> str:
        """Return the part in words, for a protocol."""

    def fit(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        return fit_parts([self], sample)


@dataclass(frozen=True, kw_only=True)
class ResizeCrop(Part):
    """Resizes the shorter side to `resize` pixels and cuts out the middle `crop` (h, w).

    With `resize` None the whole image is resized to `crop`, whatever its shape.
    """

    crop: tuple[int, int]
    resize: int | None
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "crop", self.crop, 2)
        if self.resize is not None:
            enough = is_numbers((self.resize,), int, 1) and self.resize >= max(self.crop)
            require(enough, "resize", self.resize, f"None or a number of pixels of at least {max(self.crop)}")
        require_interpolation(self.interpolation)

    def steps(self, shape: Size) -> Sequence[Step]:
        """Return the crop of what would be cut off anyway, the resizing, and the crop of the middle."""
        if self.resize is None:
            return (Resize(*self.crop, self.interpolation),)
        shorter = min(shape[-2:])
        height, width = (min(side, shorter * LONGEST) for side in shape[-2:])
        resize = Resize(self.resize * height // shorter, self.resize * width // shorter, self.interpolation)
        after = middle(resize.height, resize.width, self.crop)
        return middle(shape[-2], shape[-1], (height, width)), resize, after

    def describe(self) -> str:
        """Return the sizes in words."""
        size = f"{self.crop[0]}x{self.crop[1]}"
        fit = f"squeezed to {size}" if self.resize is None else f"shorter side {self.resize}, middle {size}"
        return f"{fit} pixels, {self.interpolation}"


@dataclass(frozen=True, kw_only=True)
class FitWithin(Part):
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

    def steps(self, shape: Size) -> Sequence[Step]:
        """Return the resizing."""
        return (Resize(*self.size_of(*shape[-2:]), self.interpolation),)

    def describe(self) -> str:
        """Return the sizes in words."""
        sides = f"shorter side {self.shorter}, longer side at most {self.longest}"
        return f"{sides} pixels, {self.interpolation}"


@dataclass(frozen=True, kw_only=True)
class SampleFrames(Part):
    """Takes `count` frames of a clip (C, t, h, w): the middle one of each of as many equal parts."""

    count: int

    def __post_init__(self) -> None:
        """Raise UsageError for values out of range."""
        require_sizes(self, "count", (self.count,), 1)

    def steps(self, shape: Size) -> Sequence[Step]:
        """Return the choice of frames."""
        return (TakeFrames(tuple(middles(shape[1], self.count))),)

    def describe(self) -> str:
        """Return the number of frames in words."""
        return f"{self.count} frames"


def fit_image(parts: Sequence[Part], image: Tensor) -> Tensor:
    """Fit an image or clip by several parts, one after the other."""
    for part in parts:
        for step in part.steps(image.shape):
            image = step.image(image)
    return image


def fit_parts(parts: Sequence[Part], sample: Sample) -> tuple[Sample, Placement]:
    """Fit a sample by several parts as `fit_image` does, and say where the result lies in the image."""
    placement = Placement.of(sample.image)
    for part in parts:
        for step in part.steps(sample.image.shape):
            target = warp_target(sample.target, step.annotation)
            sample = replace(sample, image=step.image(sample.image), target=target)
            placement = step.placement(placement)
    return sample, placement


def middle(height: int, width: int, cut: tuple[int, int]) -> Crop:
    """Return the crop of the middle `cut` (h, w) of an image."""
    top, left = (round((side - part) / 2) for side, part in zip((height, width), cut, strict=True))
    return Crop(top, left, *cut)


def stack_images(images: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Stack images of one size along `dim`; beside floats, uint8 becomes float32 with 1 the brightest."""
    if len({image.dtype for image in images}) > 1:
        images = [image if image.is_floating_point() else image.float() / 255 for image in images]
    return torch.stack(list(images), dim)


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


def resize(image: Tensor, size: Size, interpolation: Interpolation) -> Tensor:
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
