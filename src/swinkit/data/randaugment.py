"""RandAugment (Cubuk et al. 2020) in the variant with which the papers train, "rand-m9-mstd0.5-inc1" by name.

Fifteen operations, each harder with a larger magnitude in [0, 10]; their ranges are those of timm, which the
published recipes call. What each does is torchvision's, on Pillow's pictures, where it gives timm's pixels.
"""

import math
import random
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from ..settings.augmentation import LARGEST
from .preprocess import Interpolation

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


class Drawn:
    """How a transformed picture is drawn: between pixels, and where there are none."""

    def __init__(self, interpolation: Interpolation, fill: tuple[int, int, int]):
        self.how = {"interpolation": InterpolationMode(interpolation), "fill": list(fill)}

    def slanted(self, image: Image.Image, x: float, y: float) -> Image.Image:
        """Sheared about its corner: x pixels aside per pixel down, y pixels down per pixel aside."""
        angles = [math.degrees(math.atan(each)) for each in (x, y)]
        return F.affine(image, 0, [0, 0], 1, angles, center=[0, 0], **self.how)

    def slid(self, image: Image.Image, x: float, y: float) -> Image.Image:
        """Moved by so many pixels."""
        return F.affine(image, 0, [x, y], 1, [0, 0], **self.how)

    def turned(self, image: Image.Image, degrees: float) -> Image.Image:
        """Counter-clockwise about the middle."""
        return F.rotate(image, degrees, **self.how)


def either_way(amount: float, stream: random.Random) -> float:
    """The amount or its opposite."""
    return -amount if stream.random() < 0.5 else amount


def factor(level: float, stream: random.Random) -> float:
    """Of an enhancement; `level` in [0, 1]."""
    return max(WEAKEST, 1 + either_way(ENHANCEMENT * level, stream))


def coarse(image: Image.Image, bits: int) -> Image.Image:
    """Only the upper bits of each grey; 0 leave black, which torchvision refuses."""
    return F.posterize(image, bits) if bits else Image.new("RGB", image.size)


def darker_half_raised(image: Image.Image, amount: int) -> Image.Image:
    """The greys below 128 become brighter."""
    greys = [grey + amount if grey < 128 else grey for grey in range(256)]
    return image.point([min(255, grey) for grey in greys] * 3)


def changed(name: str, image: Image.Image, level: float, stream: random.Random, drawn: Drawn) -> Image.Image:
    """The picture after the operation `name`; `level` in [0, 1]."""
    match name:
        case "autocontrast":
            return F.autocontrast(image)
        case "equalise":
            return F.equalize(image)
        case "invert":
            return F.invert(image)
        case "posterise":
            return coarse(image, 4 - int(4 * level))
        case "solarise":
            return F.solarize(image, 256 - int(256 * level))
        case "solarise-add":
            return darker_half_raised(image, int(ADDED * level))
        case "rotate":
            return drawn.turned(image, either_way(DEGREES * level, stream))
        case "shear-x":
            return drawn.slanted(image, either_way(SLANT * level, stream), 0)
        case "shear-y":
            return drawn.slanted(image, 0, either_way(SLANT * level, stream))
        case "translate-x":
            return drawn.slid(image, either_way(SLIDE * level, stream) * -image.width, 0)
        case "translate-y":
            return drawn.slid(image, 0, either_way(SLIDE * level, stream) * -image.height)
        case _:
            return ENHANCEMENTS[name](image, factor(level, stream))


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
