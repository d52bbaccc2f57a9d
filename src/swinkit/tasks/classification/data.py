"""Labelled pictures as batches for a classifier.

Shapes: B batch, h, w pixels, K classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from ...data.augment import Augmentation, cutmixed, mirrored, shifted, uniform
from ...data.folders import LabelledImages
from ...data.preprocess import Preprocess


@dataclass(frozen=True)
class Batch:
    """Normalised pixels (B, 3, h, w) and targets: labels (B,), or probabilities (B, K) after mixing."""

    pixels: Tensor
    targets: Tensor


class FittedImages(Dataset[tuple[Tensor, int]]):
    """Pictures at the model's size, uint8; the first `kept` of them are decoded once and kept in memory."""

    def __init__(self, images: LabelledImages, preprocess: Preprocess, kept: int = 0):
        self.images, self.preprocess = images, preprocess
        self.kept: list[Tensor | None] = [None] * min(kept, len(images))

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """(3, *crop) uint8 and its label."""
        image = self.kept[index] if index < len(self.kept) else None
        if image is None:
            image = self.preprocess.fit(self.images.load(index))
            if index < len(self.kept):
                self.kept[index] = image
        return image, int(self.images.labels[index])


def evaluation_batches(data: FittedImages, batch_size: int) -> Iterator[Batch]:
    """Every picture once, in order, unchanged."""
    for images, labels in DataLoader(data, batch_size):
        yield Batch(data.preprocess.normalise(images), labels)


def training_batches(
    data: FittedImages, batch_size: int, augment: Augmentation, *, seed: int, epoch: int
) -> Iterator[Batch]:
    """One epoch, shuffled and augmented; full batches only.

    What happens to a picture follows from (seed, epoch, sample), CutMix from those of the batch's first.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    mixing = augment.cutmix_epochs is None or epoch < augment.cutmix_epochs
    for samples in order[: len(order) // batch_size * batch_size].split(batch_size):
        images, labels = default_collate([data[i] for i in samples.tolist()])
        draws = uniform(samples, 7, seed=seed, epoch=epoch)
        images = mirrored(shifted(images, draws[:, :2], augment.shift), draws[:, 2] < augment.mirror)
        targets = F.one_hot(labels, len(data.images.classes)).float()
        if mixing and draws[0, 3] < augment.cutmix:
            images, targets = cutmixed(images, targets, draws[0, 4], draws[0, 5:])
        yield Batch(data.preprocess.normalise(images), targets)
