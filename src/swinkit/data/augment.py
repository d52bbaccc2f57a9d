"""Augmentation of single samples; `data.mixup` mixes whole batches.

The kernels are those of torchvision's transforms v2, the random numbers are ours: its transforms draw from
torch's global generator, so that a sample would depend on what the same process had read before. Here every
draw comes from the stream of the sample.

Shapes: C channels, *P size in pixels, h, w before, H, W after.
"""

import math
import random
from dataclasses import replace

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ..settings.augmentation import ImageAugmentation
from .preprocess import Preprocess
from .randaugment import Style, rand_augment
from .rng import generator
from .sample import Sample
from .transform import warp_sample

PLANE = 2  # axes of an image; a clip has one before them
ATTEMPTS = 10  # at a rectangle that fits
ERASED_AREA = (0.02, 1 / 3)  # of the picture
ERASED_RATIO = (0.3, 1 / 0.3)  # height by width


def augment(sample: Sample, settings: ImageAugmentation, fit: Preprocess, stream: random.Random) -> Sample:
    """Crop, mirror, and change the colours or apply RandAugment: image (C, *P) -> (C, *crop).

    All frames of a clip are changed alike; one frame at random is taken of each of t equal parts.
    """
    if len(fit.crop) > PLANE:
        frames = random_frames(sample.image.shape[1], fit.crop[0], stream)
        sample = replace(sample, image=sample.image[:, frames])
    if settings.scale is None:
        sample = shift(fit.fit_sample(sample)[0], settings.shift, stream)
    else:
        box = random_box(sample.image, settings.scale, settings.ratio, stream)
        size, how = list(fit.crop[-PLANE:]), InterpolationMode(fit.interpolation)
        sample = warp_sample(
            sample, lambda x, _: F.resized_crop(x, *box, size, interpolation=how, antialias=True)
        )
    if stream.random() < settings.flip:
        sample = warp_sample(sample, lambda x, _: F.horizontal_flip(x))
    if settings.operations:
        grey = tuple(round(255 * mean) for mean in fit.mean)
        style = Style(fit.interpolation, (grey[0], grey[1], grey[2]))
        amounts = settings.operations, settings.magnitude, settings.magnitude_std
        sample = rand_augment(sample, *amounts, stream, style)
    if settings.colour:
        sample = replace(sample, image=jitter(sample.image, settings.colour, stream))
    return sample


def random_frames(frames: int, count: int, stream: random.Random) -> list[int]:
    """Return one frame of each of `count` equal parts of a clip (Wang et al. 2016, section 3.1)."""
    return [int((i + stream.random()) * frames / count) for i in range(count)]


def shift(sample: Sample, most: int, stream: random.Random) -> Sample:
    """Move a sample by up to `most` pixels each way; black moves in."""
    if not most:
        return sample
    height, width = sample.image.shape[-PLANE:]
    top, left = stream.randrange(2 * most + 1), stream.randrange(2 * most + 1)
    return warp_sample(sample, lambda x, fill: F.crop(F.pad(x, [most], fill=fill), top, left, height, width))


def random_box(
    image: Tensor, scale: tuple[float, float], ratio: tuple[float, float], stream: random.Random
) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a rectangle of random area and shape (Szegedy et al. 2015).

    If none of ten fits into the image, return the largest in the middle whose shape is allowed.
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


def jitter(image: Tensor, strength: float, stream: random.Random) -> Tensor:
    """Change brightness, contrast and saturation of (3, H, W) uint8, in random order."""
    changes = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation]
    stream.shuffle(changes)
    for change in changes:
        image = change(image, stream.uniform(1 - strength, 1 + strength))
    return image


def erase(pixels: Tensor, probability: float, stream: random.Random) -> Tensor:
    """Fill a rectangle of (3, H, W), normalised, with noise of mean 0 and variance 1.

    This is random erasing (Zhong et al. 2020).
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
