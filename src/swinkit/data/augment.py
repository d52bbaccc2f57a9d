"""What training does to pictures, one at a time; what it does to batches of them is in `data.mixing`.

What is done is torchvision's, by the kernels of its transforms v2; what is drawn is ours. Its transforms draw
from torch's global generator, so that a picture would depend on what the same process had read before; here
every draw comes from the stream of a sample, and never from the order in which samples are read.

Shapes: h, w pixels before, H, W after.
"""

import math
import random

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ..settings.augmentation import ImageAugmentation
from .preprocess import Preprocess
from .randaugment import Drawn, rand_augmented
from .rng import generator

PLANE = 2  # axes that are cut and turned; a clip has one before them
ATTEMPTS = 10  # at a rectangle that fits
ERASED_AREA = (0.02, 1 / 3)  # of the picture
ERASED_RATIO = (0.3, 1 / 0.3)  # height by width


def augmented(image: Tensor, settings: ImageAugmentation, fit: Preprocess, stream: random.Random) -> Tensor:
    """(C, h, w) -> (C, H, W), or of a clip: cut out, mirrored, and changed in colour or by RandAugment.

    All frames of a clip alike, but for which are taken: of each part of it, any.
    """
    interpolation = InterpolationMode(fit.interpolation)
    if len(fit.crop) > PLANE:
        image = image[:, some_of_each_part(image.shape[1], fit.crop[0], stream)]
    if settings.scale is None:
        image = shifted(fit.fit(image), settings.shift, stream)
    else:
        top, left, height, width = crop_of(image, settings.scale, settings.ratio, stream)
        image = F.resized_crop(
            image,
            top,
            left,
            height,
            width,
            list(fit.crop[-PLANE:]),
            interpolation=interpolation,
            antialias=True,
        )
    if stream.random() < settings.flip:
        image = F.horizontal_flip(image)
    if settings.operations:
        grey = tuple(round(255 * mean) for mean in fit.mean)
        drawn = Drawn(fit.interpolation, (grey[0], grey[1], grey[2]))
        amounts = settings.operations, settings.magnitude, settings.magnitude_std
        image = rand_augmented(image, *amounts, stream, drawn)
    return jittered(image, settings.colour, stream) if settings.colour else image


def some_of_each_part(frames: int, count: int, stream: random.Random) -> list[int]:
    """Of `count` equal parts of a clip, one frame each, whichever (Wang et al. 2016, section 3.1)."""
    return [int((i + stream.random()) * frames / count) for i in range(count)]


def shifted(image: Tensor, most: int, stream: random.Random) -> Tensor:
    """(..., H, W) moved by up to `most` pixels each way, zeros moving in."""
    if not most:
        return image
    height, width = image.shape[-PLANE:]
    top, left = stream.randrange(2 * most + 1), stream.randrange(2 * most + 1)
    return F.crop(F.pad(image, [most]), top, left, height, width)


def crop_of(
    image: Tensor, scale: tuple[float, float], ratio: tuple[float, float], stream: random.Random
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a rectangle (Szegedy et al. 2015), of a random area and shape.

    Where none of ten fits, it is the largest in the middle whose shape is allowed.
    """
    height, width = image.shape[-PLANE:]
    for _ in range(ATTEMPTS):
        area = height * width * stream.uniform(*scale)
        shape = math.exp(stream.uniform(*map(math.log, ratio)))
        h, w = round(math.sqrt(area / shape)), round(math.sqrt(area * shape))
        if 0 < h <= height and 0 < w <= width:
            return stream.randint(0, height - h), stream.randint(0, width - w), h, w
    shape = min(max(width / height, ratio[0]), ratio[1])
    h, w = min(height, round(width / shape)), min(width, round(height * shape))
    return (height - h) // 2, (width - w) // 2, h, w


def jittered(image: Tensor, strength: float, stream: random.Random) -> Tensor:
    """(3, H, W) uint8, its brightness, contrast and saturation changed, in random order."""
    changes = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation]
    stream.shuffle(changes)
    for change in changes:
        image = change(image, stream.uniform(1 - strength, 1 + strength))
    return image


def erased(pixels: Tensor, probability: float, stream: random.Random) -> Tensor:
    """(3, H, W) normalised -> the same; a rectangle may become noise of mean 0 and variance 1.

    Random erasing (Zhong et al. 2020).
    """
    if stream.random() >= probability:
        return pixels
    height, width = pixels.shape[1:]
    for _ in range(ATTEMPTS):
        area = height * width * stream.uniform(*ERASED_AREA)
        shape = math.exp(stream.uniform(*map(math.log, ERASED_RATIO)))
        h, w = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < h < height and 0 < w < width:
            top, left = stream.randint(0, height - h), stream.randint(0, width - w)
            noise = torch.randn(len(pixels), h, w, generator=generator(stream))
            return F.erase(pixels, top, left, h, w, noise)
    return pixels
