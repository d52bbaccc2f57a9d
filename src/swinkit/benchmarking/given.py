"""What every candidate is given: the same weights, pixels and targets, drawn anew in each process.

Shapes: B batch, P pixels, K classes.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..core.backbone import Swin
from ..core.spec import Size
from ..heads.classify import ClassificationHead
from ..models.build import build
from ..models.specs import VARIANTS
from ..weights.dialect import Dialect
from .rows import Row

SEED = 0
NOISE = 0.02  # spread of what is added to every parameter, so that none is zero and a wrong one is seen


class Classifier(nn.Module):
    """(B, 3, *P) -> (B, K) logits: that of `tasks` without its pictures, whose code takes long to import."""

    def __init__(self, backbone: Swin, num_classes: int):
        super().__init__()
        self.backbone = backbone
        self.head = ClassificationHead(backbone.spec.widths[-1], num_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, *P) -> (B, K) logits."""
        return self.head(self.backbone(pixels)[-1])


def classifier(row: Row, dialect: Dialect | None = None) -> Classifier:
    """The model of a row, in fp32 on the CPU; with the borders of a library if one is given.

    Nothing is dropped at random, so that training steps can be compared too. Norms begin at 1: V2's are
    published with 0 at the end of each branch, which would hide what is before it.
    """
    variant = VARIANTS[row.variant]
    spec = replace(variant.spec, drop_path=0.0)
    if dialect is not None:
        spec = replace(spec, border=dialect.border, clipped_bias=dialect.clipped_bias)
    state = torch.random.get_rng_state()
    torch.manual_seed(SEED)
    model = Classifier(build(spec), variant.num_classes)
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.LayerNorm):
                part.weight.fill_(1)
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=NOISE)
    torch.random.set_rng_state(state)
    return model


def pixels(row: Row) -> Tensor:
    """(B, 3, *P) normal noise."""
    return torch.randn(row.batch, 3, *row.size, generator=torch.Generator().manual_seed(SEED))


def whole_patches(drawn: Tensor, patch: Size) -> Tensor:
    """(B, 3, *P) without the pixels at the far ends that fill no patch, as some libraries cut them off."""
    for axis, side in enumerate(patch, start=2):
        drawn = drawn.narrow(axis, 0, drawn.shape[axis] // side * side)
    return drawn


def targets(row: Row) -> Tensor:
    """(B,) classes."""
    most = VARIANTS[row.variant].num_classes
    return torch.randint(most, (row.batch,), generator=torch.Generator().manual_seed(SEED))
