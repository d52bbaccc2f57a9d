"""Batches for masked image modelling: a random view of each picture, and a mask.

Everything random about a sample follows from (seed, epoch, its id).

Shapes: B batch, *P size in pixels, *S grid of patches.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from ...core.spec import Size
from ...data import batch
from ...data.fitting import stack_images
from ...data.preprocess import Preprocess
from ...data.sample import Sample
from ...settings.augmentation import ImageAugmentation
from .mask_generator import draw_masks
from .settings import Masking


@dataclass(frozen=True)
class Batch(batch.Batch):
    """Normalised pixels (B, in_channels, *P), and masks (B, *S), True where a patch is hidden."""

    pixels: Tensor
    mask: Tensor


@dataclass(frozen=True, kw_only=True)
class MaskingCollate:
    """Collates pictures and masks for a model with patches of `patch` pixels.

    Without `augmentation`, as in validation, pictures are preprocessed as in prediction, and masks differ by
    epoch only.

    Raises:
        UsageError: on making it, the masking fits neither model nor pictures, or the augmentation is for RGB
            pictures, which these are not.
    """

    preprocess: Preprocess
    masking: Masking
    patch: Size
    seed: int
    augmentation: ImageAugmentation | None = None

    def __post_init__(self) -> None:
        """Refuse masks that leave nothing to learn from."""
        self.masking.require_fits(self.preprocess.crop, self.patch)
        if self.augmentation is not None:
            self.augmentation.require_fits(len(self.preprocess.crop), self.preprocess.channels)

    def __call__(self, samples: Iterable[Sample], epoch: int) -> Batch:
        """Make one batch of these samples, as they look in this epoch."""
        images, streams = [], []
        for sample in samples:
            images.append(self.view(sample, epoch))
            streams.append(sample.draws(self.seed, epoch, "mask"))
        mask = draw_masks(streams, self.masking, self.preprocess.crop, self.patch)
        return Batch(self.preprocess.normalise(stack_images(images)), mask)

    def view(self, sample: Sample, epoch: int) -> Tensor:
        """Return the image as it looks in this epoch: (C, *crop)."""
        if self.augmentation is None:
            return self.preprocess.fit(sample.image)
        # Imported for training alone, as torchvision takes longer than torch to import.
        from ...data.augment import augment

        stream = sample.draws(self.seed, epoch, "augment")
        return augment(sample, self.augmentation, self.preprocess, stream).image
