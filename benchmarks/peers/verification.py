"""Verification that a candidate computes what plain swinkit computes, under the candidate's border policy."""

from collections.abc import Sequence

import torch
from torch import Tensor

from swinkit.weights.dialect_table import dialect_named

from .cases import Case
from .inputs import build_classifier, crop_to_patches
from .workload import Inference, TrainingStep

CROPPING_LIBRARIES = ("timm", "torchvision")  # they cut off pixels that fill no patch


def relative_difference(results: Sequence[Tensor], case: Case, dialect: str | None) -> float:
    """Return the largest difference to plain swinkit, divided by swinkit's largest value.

    `results` are those of the first calls. Of logits (B, K), the first and the last picture's are compared;
    of a training step all the () losses, each after one step more. Computed on the CPU in fp32.
    """
    model = build_classifier(case, None if dialect is None else dialect_named(dialect))
    if case.is_training:
        step = TrainingStep(model, case)
        expected = torch.stack([step() for _ in results])
        actual = torch.stack([loss.float().cpu() for loss in results])
    else:
        inference = Inference(model, case)
        ends = [0, -1]
        inference.pixels = inference.pixels[ends]
        if dialect is not None and dialect.startswith(CROPPING_LIBRARIES):
            inference.pixels = crop_to_patches(inference.pixels, model.backbone.spec.patch)
        expected, actual = inference(), results[0][ends].float().cpu()
    return float((actual - expected).abs().max() / expected.abs().max())
