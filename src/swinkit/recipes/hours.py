"""Estimated hours of published trainings, from counted operations. Torch-free.

Nobody published the hours. What is published is how many pictures a second an NVIDIA V100 takes through the
forward pass, in fp32: by our counts of operations these are 37 to 62 % of its peak, Swin-T, -S and -B 43, 49
and 55 %. Half of the peak is assumed, for all models and for the backward pass, too, which computes twice as
much. Evaluations, the classifier, and waiting for data and for other GPUs are left out; newer GPUs, and half
precision where it gains something, are faster.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..models.catalogue import find_variant
from ..models.counts import num_macs
from ..settings.data import CroppedData
from ..settings.recipe import Recipe
from .giant import giant_at_640_pixels, giant_pretraining, giant_with_labels
from .imagenet import at_384_pixels, experts_on_22k, from_22k_to_1k, from_scratch, on_22k
from .simmim import finetuning, pretraining, short_pretraining

PEAK = 15.7e12  # operations a second of a V100 in fp32, as NVIDIA prints it
SHARE = 0.5  # of it, that is reached
FORWARD, BACKWARD = 1, 2  # what they compute, in forward passes
IMAGENET_1K, IMAGENET_22K, IMAGENET_22K_EXT = 1_281_167, 14_197_122, 70_000_000  # training pictures


@dataclass(frozen=True)
class Scale:
    """Size of a published training: training pictures, and GPUs where the publication states them."""

    pictures: int
    gpus: int | None = None


SCALES: dict[Callable[..., Recipe], Scale] = {
    from_scratch: Scale(IMAGENET_1K, 8),
    at_384_pixels: Scale(IMAGENET_1K, 8),
    on_22k: Scale(IMAGENET_22K),
    from_22k_to_1k: Scale(IMAGENET_1K, 8),
    experts_on_22k: Scale(IMAGENET_22K, 32),
    pretraining: Scale(IMAGENET_1K, 16),
    short_pretraining: Scale(IMAGENET_1K, 16),
    finetuning: Scale(IMAGENET_1K, 16),
    giant_pretraining: Scale(IMAGENET_22K_EXT),
    giant_with_labels: Scale(IMAGENET_22K_EXT),
    giant_at_640_pixels: Scale(IMAGENET_1K),
}


def hours_of(maker: Callable[..., Recipe], recipe: Recipe) -> float | None:
    """Return the estimated hours of one V100 for a published recipe, changed or not; None for our own.

    Raises:
        UsageError: the recipe's variant is unknown.
    """
    scale, (_, variant) = SCALES.get(maker), find_variant(recipe.variant)
    data = recipe.data
    if scale is None or not isinstance(data, CroppedData) or len(variant.size) != len(data.size):
        return None
    passes = FORWARD + BACKWARD + FORWARD * recipe.run.checkpointing
    operations = 2 * num_macs(variant.spec, data.size)  # a multiply-add is two
    iterations = recipe.schedule.iterations
    pictures = iterations * recipe.run.batch_size if iterations else scale.pictures * recipe.schedule.length
    total = passes * operations * pictures
    return total / (SHARE * PEAK) / 3600


def told(maker: Callable[..., Recipe], recipe: Recipe) -> str | None:
    """Return the hours in words, of one GPU and of as many as it is published for.

    Raises:
        UsageError: the recipe's variant is unknown.
    """
    hours = hours_of(maker, recipe)
    if hours is None:
        return None
    gpus = SCALES[maker].gpus
    together = f", {round_hours(hours / gpus)} of {gpus} together" if gpus else ""
    assumed = f"at {SHARE:.0%} of its {PEAK / 1e12:g} TFLOP/s in fp32"
    return f"{round_hours(hours)} hours of one V100{together}; estimated, {assumed}"


def round_hours(hours: float) -> str:
    """Round to the two digits that an estimate is worth."""
    return f"{float(f'{hours:.2g}'):,.0f}"
