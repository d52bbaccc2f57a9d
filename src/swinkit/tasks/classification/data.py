"""Labelled pictures as batches for a classifier.

Shapes: B batch, h, w pixels, K classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from ...data.folders import LabelledImages
from ...data.preprocess import Preprocess


@dataclass(frozen=True)
class Batch:
    """Normalised pixels (B, 3, h, w) and what they show: labels (B,), or probabilities (B, K) after mixing."""

    pixels: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Augment:
    """What training does to a picture beyond resizing it: shifted by up to `shift` pixels, mirrored, mixed by cutmix."""

    shift: int = 4
    mirror: float = 0.5  # probability
    cutmix: float = 0.5  # probability per batch


class FittedImages(Dataset[tuple[Tensor, int]]):
    """Pictures resized and cropped to the model's size, uint8; each decoded once and kept (for small pictures)."""

    def __init__(self, images: LabelledImages, preprocess: Preprocess):
        self.images, self.preprocess = images, preprocess
        self.kept: list[Tensor | None] = [None] * len(images)

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """(3, *crop) uint8 and its label."""
        image = self.kept[index]
        if image is None:
            image = self.kept[index] = self.preprocess.fit(self.images.load(index))
        return image, int(self.images.labels[index])


def evaluation_batches(data: FittedImages, batch_size: int) -> Iterator[Batch]:
    """Every picture once, in order, unchanged."""
    for images, labels in DataLoader(data, batch_size):
        yield Batch(data.preprocess.normalise(images), labels)


def training_batches(data: FittedImages, batch_size: int, augment: Augment, *, seed: int, epoch: int) -> Iterator[Batch]:
    """One epoch, shuffled and augmented; full batches only. Every draw follows from (seed, epoch, sample or batch)."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(draw_seed(seed, epoch, 0)))
    vary = v2.Compose([v2.RandomCrop(data.preprocess.crop, padding=augment.shift), v2.RandomHorizontalFlip(augment.mirror)])
    mix = v2.RandomApply([v2.CutMix(num_classes=len(data.images.classes))], augment.cutmix)
    for start in range(0, len(order) - batch_size + 1, batch_size):
        samples = order[start : start + batch_size].tolist()
        images, labels = zip(*(varied(data, sample, vary, seed, epoch) for sample in samples), strict=True)
        pixels, targets = data.preprocess.normalise(torch.stack(images)), torch.tensor(labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw_seed(seed, epoch, -1 - start))
            pixels, targets = mix(pixels, targets)
        yield Batch(pixels, targets)


def varied(data: FittedImages, sample: int, vary: v2.Transform, seed: int, epoch: int) -> tuple[Tensor, int]:
    """One picture, augmented by draws that depend on (seed, epoch, sample) alone."""
    image, label = data[sample]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw_seed(seed, epoch, sample))
        return vary(image), label


def draw_seed(seed: int, epoch: int, item: int) -> int:
    """A 64-bit seed of its own for each (seed, epoch, item); splitmix64's mixing, so that neighbours are unrelated."""
    state = (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + item * 0x94D049BB133111EB) % 2**64
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)
