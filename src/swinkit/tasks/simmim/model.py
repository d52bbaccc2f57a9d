"""SimMIM: learn from pictures without labels, by reconstructing the patches that were masked.

Xie et al. 2022, https://arxiv.org/abs/2111.09886. Works over any number of axes.

Shapes: B batch, *P size in pixels, *S grid of patches, C channels.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...core.backbone import Swin
from ...core.init import STD
from ...core.tiles import channels_first, channels_last, crop
from ...data.fitting import stack_images
from ...data.imagenet_preprocessing import side_before_crop
from ...data.preprocess import Preprocess
from ...data.rng import draws
from ...data.sample import Sample
from ...errors import DataError
from ...heads.reconstruct import ReconstructionHead
from ..observed import Observed
from ..task import Task, evaluating
from .data import Batch
from .losses import locally_normed, masked_l1, surroundings
from .mask_generator import draw_masks
from .metrics import Errors
from .results import Reconstruction
from .settings import Masking, SimMIMOptions

PUBLISHED = Preprocess.to_crop(crop=(192, 192), resize=side_before_crop(192), interpolation="bilinear")


class SimMIM(Task[Reconstruction]):
    """Masked image model: (B, in_channels, *P) pixels and (B, *S) mask -> (B, in_channels, *P).

    With `masking.target_window`, the target is normed by mean and spread of that many pixels around each;
    without, it is the pixels themselves. `predict` hides a part of each picture and returns its
    reconstruction.
    """

    name = "simmim"
    predict_options = SimMIMOptions
    ranked_loss = "l1"
    table_resize = "geometric"  # as SimMIM is fine-tuned
    input_parameters: ClassVar[tuple[str, ...]] = ("mask_token",)

    def __init__(self, backbone: Swin, masking: Masking | None = None, preprocess: Preprocess = PUBLISHED):
        super().__init__()
        spec = backbone.spec
        self.backbone = backbone
        self.masking = Masking() if masking is None else masking
        self.preprocess = preprocess
        self.mask_token = nn.Parameter(torch.empty(spec.embed_dim))
        self.head = ReconstructionHead(spec.widths[-1], spec.in_channels, spec.strides[-1])
        nn.init.trunc_normal_(self.mask_token, std=STD)

    def forward(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """Reconstruct: (B, in_channels, *P), mask (B, *S) with 1 where hidden -> (B, in_channels, *P)."""
        patches = self.backbone.embed_patches(pixels)
        patches = torch.where(mask.bool().unsqueeze(-1), self.mask_token.to(patches.dtype), patches)
        whole = self.head(self.backbone.encode(patches)[-1])
        return channels_first(crop(channels_last(whole), tuple(pixels.shape[2:])))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the error of the masked pixels of one training batch."""
        return {"l1": self.loss(batch.pixels, batch.mask)}

    def loss(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """Return the mean error of the masked pixels, one number: (B, in_channels, *P), mask (B, *S)."""
        return masked_l1(self(pixels, mask), self.target(pixels), self.pixel_mask(mask, pixels))

    def target(self, pixels: Tensor) -> Tensor:
        """Return the target: pixels (B, in_channels, *P), or these normed by the pixels around each."""
        window = self.masking.target_window
        return pixels if window is None else locally_normed(pixels, window)

    def pixel_mask(self, mask: Tensor, pixels: Tensor) -> Tensor:
        """Spread a mask of patches (B, *S) to pixels (B, 1, *P), in the type of `pixels`."""
        for axis, size in enumerate(self.backbone.spec.patch, start=1):
            mask = mask.repeat_interleave(size, axis)
        return channels_first(crop(mask.unsqueeze(-1), tuple(pixels.shape[2:]))).to(pixels.dtype)

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        """Return the sums of one validation batch, in the order of `Errors`, as its first sample's record."""
        pixels = batch.pixels.to(self.input_dtype)
        errors = Errors.of(self(pixels, batch.mask), self.target(pixels), self.pixel_mask(batch.mask, pixels))
        return Observed(records={0: [errors.error, errors.spread, errors.count]})

    def scores(self, observed: Observed) -> dict[str, float]:
        """Return `explained`, at most 1, and the mean absolute error `l1` in the target's units.

        The sums of the batches are added in order, so that the scores are the same to the bit for any number
        of processes.
        """
        errors = sum((Errors(*record) for record in observed.records.values()), Errors())
        return {"explained": errors.explained, "l1": errors.l1}

    def begin_answers(self, options: SimMIMOptions) -> Callable[[Sequence[Sample]], Sequence[Reconstruction]]:
        """Return `answer` for all batches in order; the n-th mask follows from the seed and n."""
        return partial(self.answer, streams=mask_streams(options.seed))

    def answer(
        self, samples: Sequence[Sample], *, streams: Iterator[random.Random] | None = None
    ) -> list[Reconstruction]:
        """Hide a part of each image, clip or volume of one batch, and return its reconstruction.

        The next of `streams` draws the mask of each; without them, those of seed 0 do. A result shows RGB: of
        a clip the frame in the middle; of other channels the first three, or one; what was stored in more
        than 8 bits from two standard deviations below its mean to two above.

        Raises:
            DataError: the pixels are not finite: the weights are damaged, or overflow in half precision.
            UsageError: nothing would be left to be seen.
        """
        self.require_masks()
        chosen = list(islice(mask_streams(0) if streams is None else streams, len(samples)))
        mask = draw_masks(chosen, self.masking, self.preprocess.crop, self.backbone.spec.patch)
        fitted = stack_images([self.preprocess.fit(sample.image) for sample in samples])
        with evaluating(self), torch.inference_mode():
            pixels = self.preprocess.normalise(fitted.to(self.input_device))
            made = self.in_units(self(pixels.to(self.input_dtype), mask.to(pixels.device)), pixels)
            to_uint8 = spread_out if fitted.is_floating_point() else self.preprocess.as_images
            inputs, outputs = (as_rgb(to_uint8(each).cpu()) for each in (pixels, made))
            hidden = as_rgb(self.pixel_mask(mask.to(pixels.device), pixels).bool().cpu())
        return [
            Reconstruction(
                name=sample.id,
                size=(sample.image.shape[-2], sample.image.shape[-1]),
                image=image,
                mask=masked[0],
                reconstruction=filled,
            )
            for sample, image, masked, filled in zip(samples, inputs, hidden, outputs, strict=True)
        ]

    def in_units(self, reconstruction: Tensor, pixels: Tensor) -> Tensor:
        """Convert a reconstruction (B, C, *crop) from units of the target to those of the input.

        A target normed by its surroundings gets their true mean and spread back.

        Raises:
            DataError: it is not finite.
        """
        made = reconstruction.float()
        if not made.isfinite().all():
            raise DataError("the reconstruction is not finite: weights are damaged, or overflow in fp16")
        if self.masking.target_window is not None:
            mean, spread = surroundings(pixels, self.masking.target_window)
            made = made * spread + mean
        return made

    def require_masks(self) -> None:
        """Raise UsageError unless a part of each picture stays visible."""
        self.masking.require_fits(self.preprocess.crop, self.backbone.spec.patch)


def mask_streams(seed: int) -> Iterator[random.Random]:
    """Yield the random stream of each mask, by its number."""
    return (draws(seed, number, "mask") for number in count())


def spread_out(pixels: Tensor) -> Tensor:
    """Map values of zero mean and unit spread from [-2, 2] to uint8, so that scans have contrast."""
    return ((pixels + 2) / 4 * 255).round().clamp(0, 255).to(torch.uint8)


def as_rgb(inputs: Tensor) -> Tensor:
    """Return RGB (B, 3, h, w) of (B, C, *P): the middle of further axes; three channels, or one thrice."""
    while inputs.ndim > 4:
        inputs = inputs[:, :, inputs.shape[2] // 2]
    return inputs[:, :3] if inputs.shape[1] >= 3 else inputs[:, :1].expand(-1, 3, -1, -1)
