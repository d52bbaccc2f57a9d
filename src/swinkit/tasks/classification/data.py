"""Labelled pictures as batches for a classifier.

Shapes: B batch, C channels, h, w pixels, K classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data import batch
from ...data.fitting import stack_images
from ...data.preprocess import Preprocess
from ...data.sample import LABEL, Sample
from ...errors import DataError
from .mixup import UNMIXED, draw_mix
from .settings import Augmentation


@dataclass(frozen=True)
class Batch(batch.Batch):
    """Normalised pixels (B, C, h, w) and targets: labels (B,), or probabilities or values (B, K)."""

    pixels: Tensor
    targets: Tensor


@dataclass(frozen=True)
class TrainingCollate:
    """Collates labelled images of `num_classes` classes into augmented batches.

    What happens to an image follows from (seed, epoch, id). How a batch is mixed follows from (seed, epoch)
    and its first id, which tells it from all others.
    """

    preprocess: Preprocess
    augmentation: Augmentation
    seed: int
    num_classes: int

    def __call__(self, samples: Iterable[Sample], epoch: int) -> Batch:
        """Make the batch of these samples in this epoch.

        Raises:
            DataError: a sample has no label.
        """
        # Imported for training alone, as torchvision takes longer than torch to import.
        from ...data.augment import augment, erase

        images, labels, streams, mixing = [], [], [], []
        for sample in samples:
            stream = sample.draws(self.seed, epoch, "augment")
            images.append(augment(sample, self.augmentation, self.preprocess, stream).image)
            labels.append(label_of(sample))
            streams.append(stream)
            mixing.append(sample.draws(self.seed, epoch, "mix"))
        pixels = self.preprocess.normalise(stack_images(images))
        if self.augmentation.erase:
            noisy = [erase(x, self.augmentation.erase, s) for x, s in zip(pixels, streams, strict=True)]
            pixels = torch.stack(noisy)
        mix = draw_mix(self.augmentation, epoch, self.preprocess.crop, mixing[0])
        targets = stack_labels(labels)
        if mix is UNMIXED:
            return Batch(pixels, targets)
        shares = targets if targets.is_floating_point() else F.one_hot(targets, self.num_classes).float()
        return Batch(mix.pixels(pixels), mix.targets(shares))


@dataclass(frozen=True)
class EvaluationCollate:
    """Makes batches of labelled images as the model sees them in use."""

    preprocess: Preprocess

    def __call__(self, samples: Iterable[Sample], epoch: int = 0) -> Batch:  # noqa: ARG002
        """Make the batch of these samples, the same in every epoch.

        Raises:
            DataError: a sample has no label.
        """
        images, labels = [], []
        for sample in samples:
            images.append(self.preprocess.fit(sample.image))
            labels.append(label_of(sample))
        return Batch(self.preprocess.normalise(stack_images(images)), stack_labels(labels))


def stack_labels(labels: Sequence[int | Tensor]) -> Tensor:
    """Return the labels of a batch: (B,) int64, or (B, K) float32 where a sample has several values."""
    rows = [label for label in labels if isinstance(label, Tensor)]
    return torch.stack(rows) if rows else torch.tensor(labels)


def label_of(sample: Sample) -> int | Tensor:
    """Return the index of a sample's class, or its values (K,).

    Raises:
        DataError: it has none.
    """
    if LABEL not in sample.target:
        raise DataError("a classifier needs labelled pictures, in folders named as their classes")
    return sample.target[LABEL]
