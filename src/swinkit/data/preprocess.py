"""Preprocessing: resize, crop and normalise a decoded image or clip for a model.

A fact of the weights, saved with them as `preprocess.json`.

Shapes: C channels, *P size in pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

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
    Squeeze,
    fit_image,
    fit_parts,
    is_numbers,
)
from .imagenet_preprocessing import MEAN, STD
from .placement import Placement
from .sample import Sample

FILE = "preprocess.json"
PARTS: dict[str, type[Any]] = {
    "resize_crop": ResizeCrop,
    "squeeze": Squeeze,
    "fit_within": FitWithin,
    "sample_frames": SampleFrames,
}


class Normalisation(ABC):
    """Shifts and scales channels by the `mean` and `std` of each, both in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def require_channels(self) -> None:
        """Raise UsageError unless mean and std have a usable number for each channel."""
        count = len(self.mean) if isinstance(self.mean, tuple) else 0
        each = count > 0 and is_numbers(self.mean, (int, float), count)
        require(
            each, "mean", self.mean, "a number for each channel, such as of red, green and blue in [0, 1]"
        )
        spread = is_numbers(self.std, (int, float), count) and min(self.std) > 0
        require(spread, "std", self.std, f"above 0 for each of {count} channels")

    @property
    @abstractmethod
    def axes(self) -> int:
        """Number of axes of P: 2 of images, 3 of clips and volumes."""

    @property
    def channels(self) -> int:
        """Number of channels, C."""
        return len(self.mean)

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


@dataclass(frozen=True, kw_only=True)
class Preprocess(Normalisation):
    """Preprocessing of a model that answers once for a whole image or clip.

    The shorter side is resized to `resize` pixels, then the middle `crop` (h, w) is cut out; with `resize`
    None the whole image is resized to `crop`, whatever its shape. For a clip `crop` is (t, h, w), and t
    frames are taken at equal distances, each the middle one of its part.

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
        """Check types and values of the fields."""
        crop, least = self.crop, "numbers above 0, (height, width) or (frames, height, width)"
        require(any(is_numbers(crop, int, n) for n in (2, 3)) and min(crop) > 0, "crop", crop, least)
        if self.resize is not None:
            side = max(crop[-2:])
            enough = is_numbers((self.resize,), int, 1) and self.resize >= side
            require(enough, "resize", self.resize, f"None or a number of pixels of at least {side}")
        names = get_args(Interpolation)
        known = self.interpolation in names
        require(known, "interpolation", self.interpolation, " or ".join(map(repr, names)))
        self.require_channels()
        first = is_numbers((self.version,), int, 1) and self.version == 1
        require(first, "version", self.version, "1, all that this swinkit reads")

    @property
    def axes(self) -> int:
        """Number of axes: 2 of images, 3 of clips and volumes."""
        return len(self.crop)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The steps in order, without the normalisation."""
        *frames, height, width = self.crop
        of_clip = tuple(SampleFrames(count=count) for count in frames)
        if self.resize is None:
            return (*of_clip, Squeeze(size=(height, width), interpolation=self.interpolation))
        fit = ResizeCrop(resize=self.resize, crop=(height, width), interpolation=self.interpolation)
        return (*of_clip, fit)

    def fit_sample(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        return fit_parts(self.parts, sample)

    def fit(self, image: Tensor) -> Tensor:
        """Resize and crop (C, h, w) or (C, t, h, w) to (C, *crop) of the same type, antialiased."""
        return fit_image(self.parts, image)

    def __call__(self, image: Tensor) -> Tensor:
        """Return (C, *P) as the model wants it: (C, *crop) float32."""
        return self.normalise(self.fit(image))

    def to_json(self) -> dict[str, Any]:
        """Return the content of `preprocess.json`, version 1."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: object) -> "Preprocess":
        """Read what `to_json` wrote.

        Raises:
            DataError: a field is missing, unknown or wrong, or the file is of a later version.
        """
        return construct(cls, require_version(values, 1), FILE)


@dataclass(frozen=True, kw_only=True)
class Pipeline(Normalisation):
    """Preprocessing of a model for dense tasks: any parts, in order, then normalisation.

    `dims` is the number of axes after the channels: 2 of an image, 3 of a clip or a volume.

    Raises:
        UsageError: a field has a wrong type or value.
    """

    parts: tuple[Part, ...]
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    dims: int = 2

    def __post_init__(self) -> None:
        """Check types and values of the fields."""
        known = isinstance(self.parts, tuple) and all(type(part) in PARTS.values() for part in self.parts)
        require(
            known, "parts", self.parts, f"a tuple of {', '.join(each.__name__ for each in PARTS.values())}"
        )
        least = 3 if any(isinstance(part, SampleFrames) for part in self.parts) else 2
        possible = is_numbers((self.dims,), int, 1) and least <= self.dims <= 3
        require(possible, "dims", self.dims, "3 where a part takes frames, else 2 or 3")
        self.require_channels()

    @property
    def axes(self) -> int:
        """Number of axes: 2 of images, 3 of clips and volumes."""
        return self.dims

    def fit_sample(self, sample: Sample) -> tuple[Sample, Placement]:
        """Fit image and target, and say where the result lies in the image."""
        return fit_parts(self.parts, sample)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `preprocess.json`, version 2."""
        names = {kind: name for name, kind in PARTS.items()}
        parts: list[Any] = [{"part": names[type(part)], **vars(part)} for part in self.parts]
        plain = [{k: list(v) if isinstance(v, tuple) else v for k, v in part.items()} for part in parts]
        mean, std = list(self.mean), list(self.std)
        return {"version": 2, "parts": plain, "mean": mean, "std": std, "dims": self.dims}

    @classmethod
    def from_json(cls, values: object) -> "Pipeline":
        """Read what `to_json` wrote.

        Raises:
            DataError: a part or a field is missing, unknown or wrong, or the file is of another version.
        """
        stated = {name: value for name, value in require_version(values, 2).items() if name != "version"}
        if isinstance(stated.get("parts"), list):
            stated["parts"] = tuple(map(read_part, stated["parts"]))
        return construct(cls, stated, FILE)


def read_part(values: object) -> Part:
    """Return the part that an object of a `preprocess.json` describes.

    Raises:
        DataError: it is unknown, or a field is missing, unknown or wrong.
    """
    fields_of = dict(values) if isinstance(values, Mapping) else {}
    name = fields_of.pop("part", None)
    if not isinstance(name, str) or name not in PARTS:
        raise DataError(f"{FILE}: unknown part {name!r}; expected one of {', '.join(PARTS)}")
    return construct(PARTS[name], fields_of, f"{FILE}: part {name!r}")


def require_version(values: object, version: int) -> Mapping[str, Any]:
    """Return `values` if they are fields of this version of the file.

    Raises:
        DataError: they are not.
    """
    if not isinstance(values, dict):
        raise DataError(f"{FILE}: expected an object of fields, got {type(values).__name__}")
    if values.get("version") != version:
        raise DataError(f"{FILE}: version {values.get('version')!r}; this swinkit reads {version}")
    return values


def construct(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """Return a dataclass made of fields that were read.

    Raises:
        DataError: a field is missing, unknown or wrong.
    """
    known = {field.name for field in fields(kind)}
    wrong = [f"{key!r} is missing" for key in sorted(known - set(values))]
    wrong += [f"{key!r} is not known" for key in sorted(set(values) - known)]
    if wrong:
        raise DataError(f"{where}: {', '.join(wrong)}")
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except UsageError as error:
        raise DataError(f"{where}: {error}") from None
