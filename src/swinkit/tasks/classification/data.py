"""Labelled pictures as batches for a classifier.

Shapes: B batch, h, w pixels, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...data import batch
from ...data.mixup import UNMIXED, mix_of
from ...data.preprocess import Preprocess
from ...data.rng import draws
from ...data.samples import Readable
from ...errors import DataError
from ...settings.augmentation import Augmentation


@dataclass(frozen=True)
class Batch(batch.Batch):
    """Normalised pixels (B, 3, h, w) and targets: labels (B,), or probabilities (B, K) after mixing."""

    pixels: Tensor
    targets: Tensor


@dataclass(frozen=True)
class PrepareTraining:
    """Augmented batches. What happens to a picture follows from (seed, epoch, id).

    How a batch is mixed follows from (seed, epoch) and its first id, which tells it from all others.
    """

    preprocess: Preprocess
    augmentation: Augmentation
    seed: int

    def __call__(self, samples: Readable, indices: Sequence[int], epoch: int) -> Batch:
        """The batch of these samples in this epoch."""
        # Imported for training alone, as torchvision takes longer than torch to import.
        from ...data.augment import augmented, erased

        streams = [draws(self.seed, epoch, samples.ids[i], "augment") for i in indices]
        images = torch.stack(
            [
                augmented(samples.load(i), self.augmentation, self.preprocess, stream)
                for i, stream in zip(indices, streams, strict=True)
            ]
        )
        pixels = self.preprocess.normalise(images)
        if self.augmentation.erase:
            noisy = [erased(x, self.augmentation.erase, s) for x, s in zip(pixels, streams, strict=True)]
            pixels = torch.stack(noisy)
        stream = draws(self.seed, epoch, samples.ids[indices[0]], "mix")
        mix = mix_of(self.augmentation, epoch, self.preprocess.crop, stream)
        labels = labels_of(samples, indices)
        if mix is UNMIXED:
            return Batch(pixels, labels)
        targets = F.one_hot(labels, len(samples.classes)).float()
        return Batch(mix.pixels(pixels), mix.targets(targets))


@dataclass(frozen=True)
class PrepareEvaluation:
    """Batches as the model will see pictures in use."""

    preprocess: Preprocess

    def __call__(self, samples: Readable, indices: Sequence[int], epoch: int = 0) -> Batch:  # noqa: ARG002
        """The batch of these samples, the same in every epoch."""
        images = torch.stack([self.preprocess.fit(samples.load(i)) for i in indices])
        return Batch(self.preprocess.normalise(images), labels_of(samples, indices))


def labels_of(samples: Readable, indices: Sequence[int]) -> Tensor:
    """(B,) int64.

    Raises:
        DataError: the samples are plain pictures.
    """
    if samples.labels is None:
        raise DataError("a classifier needs labelled pictures, in folders named as their classes")
    return samples.labels[list(indices)]
