"""Classification head, for images, clips and volumes.

Shapes: B batch, *S grid size, C channels, K classes, V views of one clip.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """Norm, average over the grid, and linear classifier: (B, *S, C) -> (B, K).

    Paper, section A2.1; for clips the same over three axes (Video Swin's I3D head). `std` is the standard
    deviation of the classifier's published initialisation: 0.02, and 0.01 for clips.
    """

    backbone_parts: ClassVar[tuple[str, ...]] = ("norm",)
    output_parts: ClassVar[tuple[str, ...]] = ("classifier",)

    def __init__(self, width: int, num_classes: int, dropout: float = 0.0, *, std: float = 0.02):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)
        nn.init.trunc_normal_(self.classifier.weight, std=std)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits: (B, *S, C) -> (B, K)."""
        return self.classifier(self.dropout(self.pool(features)))

    def pool(self, features: Tensor) -> Tensor:
        """Compute the embedding that the classifier takes: (B, *S, C) -> (B, C)."""
        return self.norm(features).flatten(1, -2).mean(1)


def average_probabilities(logits: Tensor) -> Tensor:
    """Average the probabilities of several views (mmaction's "prob"): (B, V, K) logits -> (B, K)."""
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32)).mean(1)


def average_scores(logits: Tensor) -> Tensor:
    """Average the logits of several views (mmaction's "score"): (B, V, K) -> (B, K)."""
    return torch.mean(logits, dim=1)
