"""Preprocessing: resize, crop and normalise a decoded image or clip for a model.

A fact of the weights, saved with them as `preprocess.json`.

Shapes: C channels, *P size in pixels.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..core.spec import Size
from ..errors import DataError, UsageError, require
from .fitting import (
    FitWithin,
    Interpolation,
    Part,
    ResizeCrop,
    SampleFrames,
    fit_image,
    fit_parts,
    is_numbers,
)
from .imagenet_preprocessing import MEAN, STD
from .placement import Placement
from .sample import Sample

Made = TypeVar("Made")
FILE = "preprocess.json"
PARTS: dict[str, type[Any]] = {
    "resize_crop": ResizeCrop,
    "fit_within": FitWithin,
    "sample_frames": SampleFrames,
}


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Preprocessing of a model: parts, in order, then normalisation by the `mean` and `std` of each channel.

    `axes` is the number of axes of P: 2 of images, 3 of clips and volumes.

    Raises:
        UsageError: a field has a wrong type or value.
    """

    parts: tuple[Part, ...]
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    axes: int = 2

    def __post_init__(self) -> None:
        """Check types and values of the fields."""
        known = isinstance(self.parts, tuple) and all(type(part) in PARTS.values() for part in self.parts)
        names = ", ".join(each.__name__ for each in PARTS.values())
        require(known, "parts", self.parts, f"a tuple of {names}")
        least = 3 if any(isinstance(part, SampleFrames) for part in self.parts) else 2
        possible = is_numbers((self.axes,), int, 1) and least <= self.axes <= 3
        require(possible, "axes", self.axes, "3 where a part takes frames, else 2 or 3")
        count = len(self.mean) if isinstance(self.mean, tuple) else 0
        each = count > 0 and is_numbers(self.mean, (int, float), count)
        require(
            each, "mean", self.mean, "a number for each channel, such as of red, green and blue in [0, 1]"
        )
        spread = is_numbers(self.std, (int, float), count) and min(self.std) > 0
        require(spread, "std", self.std, f"above 0 for each of {count} channels")

    @classmethod
    def to_crop(
        cls,
        crop: Size,
        resize: int | None,
        interpolation: Interpolation = "bicubic",
        *,
        mean: tuple[float, ...] = MEAN,
        std: tuple[float, ...] = STD,
    ) -> "Preprocess":
        """Return the preprocessing of a model that answers once for a whole image or clip.

        The shorter side is resized to `resize` pixels, then the middle `crop` (h, w) is cut out. With
        `resize` None the whole image is resized to `crop`, whatever its shape. For a clip `crop` is
        (t, h, w), and t frames are taken at equal distances, each the middle one of its part.

        Raises:
            UsageError: an argument has a wrong type or value.
        """
        least = "numbers above 0, (height, width) or (frames, height, width)"
        require(any(is_numbers(crop, int, n) for n in (2, 3)) and min(crop) > 0, "crop", crop, least)
        *frames, height, width = crop
        fit = {"crop": (height, width), "resize": resize, "interpolation": interpolation}
        parts = (*(SampleFrames(count=count) for count in frames), ResizeCrop(**fit))
        return cls(parts=parts, mean=mean, std=std, axes=len(crop))

    @property
    def crop(self) -> Size:
        """Size of every sample that was fitted, (h, w) or (t, h, w).

        Raises:
            UsageError: the parts give samples of different sizes.
        """
        frames = tuple(part.count for part in self.parts if isinstance(part, SampleFrames))
        return (*frames, *self.resizing.crop)

    @property
    def resize(self) -> int | None:
        """The shorter side before the middle is cut out, in pixels; None if the whole image is resized."""
        return self.resizing.resize

    @property
    def interpolation(self) -> Interpolation:
        """Interpolation of the resizing."""
        return self.resizing.interpolation

    @property
    def resizing(self) -> ResizeCrop:
        """The part that resizes every image to one size.

        Raises:
            UsageError: there is none.
        """
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, ResizeCrop):
            raise UsageError("this preprocessing gives samples of different sizes; it has no crop")
        return last

    @property
    def channels(self) -> int:
        """Number of channels, C."""
        return len(self.mean)

    def fit_sample(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        return fit_parts(self.parts, sample)

    def fit(self, image: Tensor) -> Tensor:
        """Fit (C, *P), by default to (C, *crop), of the same type, antialiased."""
        return fit_image(self.parts, image)

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise images (..., C, *P), uint8 or floats with 1 the brightest, to float32.

        Over the training images the result has mean 0 and variance 1.
        """
        mean, std = self.by_channel(images)
        shares = images if images.is_floating_point() else images.float() / 255
        return (shares - mean) / std

    def as_images(self, pixels: Tensor) -> Tensor:
        """Undo `normalise`: return the nearest colours that can be shown, uint8."""
        mean, std = self.by_channel(pixels)
        return ((pixels * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)

    def by_channel(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and std, each (C, 1, ...), on the device of `images`."""
        shape = (-1, *[1] * self.axes)
        mean, std = (
            torch.tensor(values, device=images.device).view(shape) for values in (self.mean, self.std)
        )
        return mean, std

    def __call__(self, image: Tensor) -> Tensor:
        """Return (C, *P) as the model wants it, float32."""
        return self.normalise(self.fit(image))

    def describe(self) -> str:
        """Return the parts in words."""
        return "; ".join(part.describe() for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `preprocess.json`.

        Version 1 has the arguments of `to_crop`. Version 2 has any parts.
        """
        mean, std = list(self.mean), list(self.std)
        if self.is_crop():
            size = {"crop": list(self.crop), "resize": self.resize, "interpolation": self.interpolation}
            return {**size, "mean": mean, "std": std, "version": 1}
        names = {kind: name for name, kind in PARTS.items()}
        parts: list[Any] = [{"part": names[type(part)], **vars(part)} for part in self.parts]
        plain = [{k: list(v) if isinstance(v, tuple) else v for k, v in part.items()} for part in parts]
        return {"version": 2, "parts": plain, "mean": mean, "std": std, "axes": self.axes}

    def is_crop(self) -> bool:
        """Return whether `to_crop` makes this preprocessing."""
        kinds = [type(part) for part in self.parts]
        return kinds == ([ResizeCrop] if self.axes == 2 else [SampleFrames, ResizeCrop])

    @classmethod
    def from_json(cls, values: object) -> "Preprocess":
        """Read what `to_json` wrote.

        Raises:
            DataError: a part or a field is missing, unknown or wrong, or the file is of another version.
        """
        if not isinstance(values, dict):
            raise DataError(f"{FILE}: expected an object of fields, got {type(values).__name__}")
        stated: dict[str, Any] = {name: value for name, value in values.items() if name != "version"}
        version = values.get("version")
        if not is_numbers((version,), int, 1) or version not in (1, 2):
            raise DataError(f"{FILE}: version {version!r}; this swinkit reads 1 and 2")
        if version == 1:
            return construct(cls.to_crop, stated, ("crop", "resize", "interpolation", "mean", "std"), FILE)
        if isinstance(stated.get("parts"), list):
            stated["parts"] = tuple(map(read_part, stated["parts"]))
        return construct(cls, stated, ("parts", "mean", "std", "axes"), FILE)


def read_part(values: object) -> Part:
    """Return the part that an object of a `preprocess.json` describes.

    Raises:
        DataError: it is unknown, or a field is missing, unknown or wrong.
    """
    fields_of = dict(values) if isinstance(values, Mapping) else {}
    name = fields_of.pop("part", None)
    if not isinstance(name, str) or name not in PARTS:
        raise DataError(f"{FILE}: unknown part {name!r}; expected one of {', '.join(PARTS)}")
    kind = PARTS[name]
    return construct(kind, fields_of, [each.name for each in fields(kind)], f"{FILE}: part {name!r}")


def construct(make: Callable[..., Made], values: Mapping[str, Any], names: Iterable[str], where: str) -> Made:
    """Return what `make` makes of fields that were read and must be those of `names`.

    Raises:
        DataError: a field is missing, unknown or wrong.
    """
    wrong = [f"{key!r} is missing" for key in sorted(set(names) - set(values))]
    wrong += [f"{key!r} is not known" for key in sorted(set(values) - set(names))]
    if wrong:
        raise DataError(f"{where}: {', '.join(wrong)}")
    try:
        return make(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except UsageError as error:
        raise DataError(f"{where}: {error}") from None
