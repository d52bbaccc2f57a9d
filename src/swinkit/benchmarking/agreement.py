"""Whether a candidate computes what ours does: the same weights and pixels, under the candidate's borders.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..weights.dialect_table import dialect_named
from .given import classifier, whole_patches
from .rows import Row
from .work import Answer, Learn

CUTTING = ("timm", "torchvision")  # libraries that leave out pixels that fill no patch


def difference(given: Sequence[Tensor], row: Row, library: str | None) -> float:
    """Largest difference to what plain swinkit gives, as a share of its largest value.

    `given` are the results of the first calls: of an answer the (B, K) logits, those of the first picture and
    the last are compared; of a training step the () losses, each after one step more. On the CPU, in
    fp32.
    """
    model = classifier(row, None if library is None else dialect_named(library))
    if row.learns:
        step = Learn(model, row)
        own = torch.stack([step() for _ in given])
        made = torch.stack([loss.float().cpu() for loss in given])
    else:
        answer = Answer(model, row)
        ends = [0, -1]
        answer.pixels = answer.pixels[ends]
        if library is not None and library.startswith(CUTTING):
            answer.pixels = whole_patches(answer.pixels, model.backbone.spec.patch)
        own, made = answer(), given[0][ends].float().cpu()
    return float((made - own).abs().max() / own.abs().max())
