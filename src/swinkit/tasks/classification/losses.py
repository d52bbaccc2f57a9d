"""Losses of a classifier.

Shapes: B batch, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.backbone import Swin
from ...core.moe.experts import Experts
from ...models.families import SpecMoE


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Return the cross-entropy of logits (B, K) to labels (B,) or probabilities (B, K), in at least fp32."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def balance(backbone: Swin) -> dict[str, Tensor]:
    """Return the weighted balance loss of the experts in the last forward, summed over blocks; {} without."""
    found = [part.balance for part in backbone.modules() if isinstance(part, Experts)]
    losses = [loss for loss in found if loss is not None]
    if not losses or not isinstance(backbone.spec, SpecMoE):
        return {}
    return {"balance": backbone.spec.balance_weight * torch.stack(losses).sum()}
