"""RandAugment (Cubuk et al. 2020) in the variant with which the papers train, "rand-m9-mstd0.5-inc1" by name.

Fifteen operations, each stronger with a larger magnitude in [0, 10]; their ranges are those of timm, which
the published recipes call. torchvision performs them on Pillow's images, which gives timm's pixels.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import InterpolationMode, functional

from ..core.spec import Size
from ..settings.augmentation import LARGEST
from .fitting import Interpolation
from .sample import Sample
from .transform import Warp, warp_target

F: Any = functional  # typed for tensors alone, though it takes Pillow's pictures, too

APPLIED = 0.5  # probability of each operation that was chosen
DEGREES = 30  # of rotation at the largest magnitude; the next likewise
SLANT = 0.3  # pixels aside per pixel down
SLIDE = 0.45  # of the side
ENHANCEMENT = 0.9  # away from 1, which changes nothing
WEAKEST = 0.1  # factor of an enhancement
ADDED = 110  # to the dark half of the greys


ENHANCEMENTS = {
    "colour": F.adjust_saturation,
    "contrast": F.adjust_contrast,
    "brightness": F.adjust_brightness,
    "sharpness": F.adjust_sharpness,
}
OPERATIONS = (
    "autocontrast",
    "equalise",
    "invert",
    "rotate",
    "posterise",
    "solarise",
    "solarise-add",
    "shear-x",
    "shear-y",
    "translate-x",
    "translate-y",
    *ENHANCEMENTS,
)


@dataclass(frozen=True)
class Style:
    """Drawing of a moved image: interpolation between pixels, and the colour of new ones."""

    interpolation: Interpolation
    fill: tuple[int, int, int]


def either_way(amount: float, stream: random.Random) -> float:
    """Return the amount or its opposite, each with probability 1/2."""
    return -amount if stream.random() < 0.5 else amount


def factor(level: float, stream: random.Random) -> float:
    """Return the factor of an enhancement; `level` in [0, 1]."""
    return max(WEAKEST, 1 + either_way(ENHANCEMENT * level, stream))


def posterise(image: Image.Image, bits: int) -> Image.Image:
    """Keep only the upper bits of each grey; 0 bits leave black, which torchvision refuses."""
    return F.posterize(image, bits) if bits else Image.new("RGB", image.size)


def brighten_dark_half(image: Image.Image, amount: int) -> Image.Image:
    """Make the greys below 128 brighter by `amount`."""
    greys = [grey + amount if grey < 128 else grey for grey in range(256)]
    return image.point([min(255, grey) for grey in greys] * 3)


def warp_of(name: str, size: Size, level: float, stream: random.Random, style: Style) -> Warp | None:
    """Return how a geometric operation moves an image of `size` (h, w); None for an operation on colours.

    `level` is in [0, 1].
    """
    height, width = size
    how = InterpolationMode(style.interpolation)
    slide, shear = (0.0, 0.0), (0.0, 0.0)  # pixels; pixels aside per pixel down, and down per pixel aside
    match name:
        case "rotate":
            degrees = either_way(DEGREES * level, stream)  # counter-clockwise about the middle
            return lambda value, fill: F.rotate(value, degrees, interpolation=how, fill=fill)
        case "shear-x":
            shear = (either_way(SLANT * level, stream), 0.0)
        case "shear-y":
            shear = (0.0, either_way(SLANT * level, stream))
        case "translate-x":
            slide = (either_way(SLIDE * level, stream) * -width, 0.0)
        case "translate-y":
            slide = (0.0, either_way(SLIDE * level, stream) * -height)
        case _:
            return None
    angles = [math.degrees(math.atan(each)) for each in shear]
    centre = [0, 0] if name.startswith("shear") else None
    return lambda value, fill: F.affine(
        value, 0, list(slide), 1, angles, center=centre, interpolation=how, fill=fill
    )


def recolour(name: str, image: Image.Image, level: float, stream: random.Random) -> Image.Image:
    """Return the image after an operation on colours; `level` in [0, 1]."""
    match name:
        case "autocontrast":
            return F.autocontrast(image)
        case "equalise":
            return F.equalize(image)
        case "invert":
            return F.invert(image)
        case "posterise":
            return posterise(image, 4 - int(4 * level))
        case "solarise":
            return F.solarize(image, 256 - int(256 * level))
        case "solarise-add":
            return brighten_dark_half(image, int(ADDED * level))
        case _:
            return ENHANCEMENTS[name](image, factor(level, stream))


def apply_operation(
    name: str,
    image: Image.Image,
    level: float,
    stream: random.Random,
    style: Style,
    target: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Image.Image, Mapping[str, Any]]:
    """Return image and target after the operation `name`; `level` in [0, 1]."""
    warp = warp_of(name, (image.height, image.width), level, stream, style)
    if warp is None:
        return recolour(name, image, level, stream), target
    return warp(image, list(style.fill)), warp_target(target, warp)


def rand_augment(
    sample: Sample, operations: int, magnitude: float, spread: float, stream: random.Random, style: Style
) -> Sample:
    """Return a sample with an image (3, h, w) uint8 after some of the operations.

    `operations` are chosen, with repetition, and each is done with probability 1/2, at a magnitude from a
    normal distribution.
    """
    picture, target = None, sample.target  # the picture is made when the first operation asks for it
    for name in stream.choices(OPERATIONS, k=operations):
        if stream.random() >= APPLIED:
            continue
        level = min(max(stream.gauss(magnitude, spread), 0), LARGEST) / LARGEST
        if picture is None:
            picture = Image.fromarray(sample.image.permute(1, 2, 0).numpy())
        picture, target = apply_operation(name, picture, level, stream, style, target)
    if picture is None:
        return sample
    return replace(sample, image=torch.from_numpy(np.array(picture)).permute(2, 0, 1), target=target)
