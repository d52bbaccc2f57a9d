"""Losses of a classifier.

Shapes: B batch, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.backbone import Swin
from ...core.moe.experts import Experts
from ...models.families import SpecMoE


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    smoothing: float,
    class_weights: Tensor | None = None,
    focal_gamma: float | None = None,
) -> Tensor:
    """Return the cross-entropy of logits (B, K) to labels (B,) or probabilities (B, K), in at least fp32.

    With `class_weights` (K,) a sample counts as much as its class, or as its classes by their probabilities.
    The sum is divided by B and not by the weights of this batch, so that a batch in parts gives the same.
    With `focal_gamma` the term of a class of probability p counts (1 - p)^gamma (Lin et al. 2017).
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if class_weights is None and focal_gamma is None:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)
    classes = logits.shape[1]
    wanted = targets if targets.ndim == 2 else F.one_hot(targets, classes)
    wanted = wanted.to(logits.dtype)
    logarithms = logits.log_softmax(1)
    terms = -logarithms * (wanted * (1 - smoothing) + smoothing / classes)
    if focal_gamma:
        easy = logarithms.exp()
        terms = terms * (1 - easy).clamp(min=torch.finfo(easy.dtype).eps) ** focal_gamma
    losses = terms.sum(1)
    return (losses if class_weights is None else losses * (wanted @ class_weights.to(wanted.dtype))).mean()


def balanced_weights(counts: Tensor) -> Tensor:
    """Return the weights of classes with so many samples each: (K,) -> (K,), whose mean over samples is 1."""
    return counts.sum() / (len(counts) * counts.clamp(min=1).float())


def balance(backbone: Swin) -> dict[str, Tensor]:
    """Return the weighted balance loss of the experts in the last forward, summed over blocks; {} without."""
    found = [part.balance for part in backbone.modules() if isinstance(part, Experts)]
    losses = [loss for loss in found if loss is not None]
    if not losses or not isinstance(backbone.spec, SpecMoE):
        return {}
    return {"balance": backbone.spec.balance_weight * torch.stack(losses).sum()}
