"""What a classifier minimises.

Shapes: B batch, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.backbone import Swin
from ...core.moe.experts import Experts
from ...models.families import SpecMoE


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """(B, K) against labels (B,) or, after mixing images, against probabilities (B, K); in at least fp32."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def balance(backbone: Swin) -> dict[str, Tensor]:
    """How unevenly the last forward chose its experts, summed over blocks and weighted; else nothing."""
    found = [part.balance for part in backbone.modules() if isinstance(part, Experts)]
    losses = [loss for loss in found if loss is not None]
    if not losses or not isinstance(backbone.spec, SpecMoE):
        return {}
    return {"balance": backbone.spec.balance_weight * torch.stack(losses).sum()}
