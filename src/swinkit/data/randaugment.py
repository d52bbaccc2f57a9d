"""RandAugment (Cubuk et al. 2020) in the variant with which the papers train, "rand-m9-mstd0.5-inc1" by name.

Fifteen operations, each harder with a larger magnitude in [0, 10]; their ranges are those of timm, which the
published recipes call.
"""

import random

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from .augmentation import LARGEST
from .preprocess import Interpolation

APPLIED = 0.5  # probability of each operation that was chosen
DEGREES = 30  # of rotation at the largest magnitude; the next likewise
SLANT = 0.3  # pixels aside per pixel down
SLIDE = 0.45  # of the side
ENHANCEMENT = 0.9  # away from 1, which changes nothing
WEAKEST = 0.1  # factor of an enhancement
ADDED = 110  # to the dark half of the greys


ENHANCEMENTS = {
    "colour": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "brightness": ImageEnhance.Brightness,
    "sharpness": ImageEnhance.Sharpness,
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


class Drawn:
    """How a transformed picture is drawn: between pixels, and where there are none."""

    def __init__(self, interpolation: Interpolation, fill: tuple[int, int, int]):
        self.resample, self.fill = Image.Resampling[interpolation.upper()], fill

    def moved(self, image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
        """The picture whose pixel (x, y) is the old one's (a x + b y + c, d x + e y + f)."""
        return image.transform(
            image.size, Image.Transform.AFFINE, matrix, resample=self.resample, fillcolor=self.fill
        )

    def turned(self, image: Image.Image, degrees: float) -> Image.Image:
        """Counter-clockwise about the middle."""
        return image.rotate(degrees, resample=self.resample, fillcolor=self.fill)


def either_way(amount: float, stream: random.Random) -> float:
    """The amount or its opposite."""
    return -amount if stream.random() < 0.5 else amount


def factor(level: float, stream: random.Random) -> float:
    """Of an enhancement; `level` in [0, 1]."""
    return max(WEAKEST, 1 + either_way(ENHANCEMENT * level, stream))


def coarse(image: Image.Image, bits: int) -> Image.Image:
    """Only the upper bits of each grey; 0 leave black, which Pillow's own `posterize` refuses."""
    return image.point([grey & (256 - 2 ** (8 - bits)) for grey in range(256)] * 3)


def darker_half_raised(image: Image.Image, amount: int) -> Image.Image:
    """The greys below 128 become brighter."""
    greys = [grey + amount if grey < 128 else grey for grey in range(256)]
    return image.point([min(255, grey) for grey in greys] * 3)


def changed(name: str, image: Image.Image, level: float, stream: random.Random, drawn: Drawn) -> Image.Image:
    """The picture after the operation `name`; `level` in [0, 1]."""
    match name:
        case "autocontrast":
            return ImageOps.autocontrast(image)
        case "equalise":
            return ImageOps.equalize(image)
        case "invert":
            return ImageOps.invert(image)
        case "posterise":
            return coarse(image, 4 - int(4 * level))
        case "solarise":
            return ImageOps.solarize(image, 256 - int(256 * level))
        case "solarise-add":
            return darker_half_raised(image, int(ADDED * level))
        case "rotate":
            return drawn.turned(image, either_way(DEGREES * level, stream))
        case "shear-x":
            return drawn.moved(image, (1, either_way(SLANT * level, stream), 0, 0, 1, 0))
        case "shear-y":
            return drawn.moved(image, (1, 0, 0, either_way(SLANT * level, stream), 1, 0))
        case "translate-x":
            return drawn.moved(image, (1, 0, either_way(SLIDE * level, stream) * image.width, 0, 1, 0))
        case "translate-y":
            return drawn.moved(image, (1, 0, 0, 0, 1, either_way(SLIDE * level, stream) * image.height))
        case _:
            return ENHANCEMENTS[name](image).enhance(factor(level, stream))


def rand_augmented(
    image: Tensor, operations: int, magnitude: float, spread: float, stream: random.Random, drawn: Drawn
) -> Tensor:
    """(3, h, w) uint8 -> the same, after some of the operations.

    So many are chosen, with repetition, and each is done with probability 1/2, at a magnitude from a normal
    distribution.
    """
    picture = None  # made when the first operation asks for it
    for name in stream.choices(OPERATIONS, k=operations):
        if stream.random() >= APPLIED:
            continue
        level = min(max(stream.gauss(magnitude, spread), 0), LARGEST) / LARGEST
        if picture is None:
            picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture = changed(name, picture, level, stream, drawn)
    return image if picture is None else torch.from_numpy(np.array(picture)).permute(2, 0, 1)
