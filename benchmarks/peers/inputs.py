"""The weights, pixels and targets of all candidates, drawn anew in each process from one seed.

Shapes: B batch, P pixels, K classes.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from swinkit.core.backbone import Swin
from swinkit.core.spec import Size
from swinkit.heads.classify import ClassificationHead
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.weights.dialect import Dialect

from .cases import Case

SEED = 0
NOISE = 0.02  # standard deviation added to every parameter, so that none is zero and a wrong one is noticed


class BareClassifier(nn.Module):
    """A backbone with a classification head. Importing the classifier of `swinkit.tasks` takes longer."""

    def __init__(self, backbone: Swin, num_classes: int):
        super().__init__()
        self.backbone = backbone
        self.head = ClassificationHead(backbone.spec.widths[-1], num_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Classify: (B, 3, *P) -> (B, K) logits."""
        return self.head(self.backbone(pixels)[-1])


def build_classifier(case: Case, dialect: Dialect | None = None) -> BareClassifier:
    """Build the model of a case in fp32 on the CPU, with the border policy of a library if one is given.

    Nothing is dropped at random, so that training steps can be compared. The scales of norms start at 1,
    because V2's start at 0 at the end of each branch, which would hide what comes before them.
    """
    variant = VARIANTS[case.variant]
    spec = replace(variant.spec, drop_path=0.0)
    if dialect is not None:
        spec = replace(spec, border=dialect.border, clipped_bias=dialect.clipped_bias)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        model = BareClassifier(build(spec), variant.num_classes)
        for part in model.modules():
            if isinstance(part, nn.LayerNorm):
                part.weight.fill_(1)
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=NOISE)
    return model


def draw_pixels(case: Case) -> Tensor:
    """Draw normal noise: (B, 3, *P)."""
    return torch.randn(case.batch, 3, *case.size, generator=torch.Generator().manual_seed(SEED))


def draw_targets(case: Case) -> Tensor:
    """Draw class numbers: (B,)."""
    num_classes = VARIANTS[case.variant].num_classes
    return torch.randint(num_classes, (case.batch,), generator=torch.Generator().manual_seed(SEED))


def crop_to_patches(pixels: Tensor, patch: Size) -> Tensor:
    """Cut off the pixels at the far ends that fill no patch, as some libraries do: (B, 3, *P), the same."""
    for axis, side in enumerate(patch, start=2):
        pixels = pixels.narrow(axis, 0, pixels.shape[axis] // side * side)
    return pixels
