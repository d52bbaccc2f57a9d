"""From features to class scores, for images, clips and volumes alike.

Shapes: B batch, *S grid size, C channels, K classes, V views of one clip.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..core.init import truncated_normal


class ClassificationHead(nn.Module):
    """(B, *S, C) -> (B, K): normalise, average over the grid, project.

    Paper, section A2.1; for clips the same over three axes (Video Swin's I3D head). `std` is that of the
    classifier's published initialisation: 0.02, and 0.01 for clips.
    """

    backbone_parts: ClassVar[tuple[str, ...]] = ("norm",)
    output_parts: ClassVar[tuple[str, ...]] = ("classifier",)

    def __init__(self, width: int, num_classes: int, dropout: float = 0.0, *, std: float = 0.02):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)
        truncated_normal(self.classifier.weight, std)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, *S, C) -> (B, K) logits."""
        return self.classifier(self.dropout(self.pool(features)))

    def pool(self, features: Tensor) -> Tensor:
        """(B, *S, C) -> (B, C): the embedding that the classifier sees."""
        return self.norm(features).flatten(1, -2).mean(1)


def average_probabilities(logits: Tensor) -> Tensor:
    """(B, V, K) logits of several views -> (B, K) probabilities: softmax, then mean (mmaction's "prob")."""
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32)).mean(1)


def average_scores(logits: Tensor) -> Tensor:
    """(B, V, K) logits of several views -> (B, K) logits: their mean (mmaction's "score")."""
    return torch.mean(logits, dim=1)
