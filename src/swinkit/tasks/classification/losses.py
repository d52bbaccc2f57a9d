"""What a classifier minimises.

Shapes: B batch, K classes.
"""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """(B, K) against labels (B,) or, after mixing images, against probabilities (B, K); in at least fp32."""
    return F.cross_entropy(logits.float(), targets, label_smoothing=smoothing)
