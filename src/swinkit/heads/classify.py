"""From features to class scores, for images, clips and volumes alike.

Shapes: B batch, *S grid size, C channels, K classes, V views of one clip.
"""

import torch
from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """(B, *S, C) -> (B, K): normalise, average over the grid, project.

    Paper, section A2.1; for clips the same over three axes (Video Swin's I3D head).
    """

    def __init__(self, width: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """(B, *S, C) -> (B, K) logits."""
        return self.classifier(self.dropout(self.pool(features)))

    def pool(self, features: Tensor) -> Tensor:
        """(B, *S, C) -> (B, C): the embedding that the classifier sees."""
        return self.norm(features).flatten(1, -2).mean(1)


def average_probabilities(logits: Tensor) -> Tensor:
    """(B, V, K) logits of several views -> (B, K) probabilities: softmax, then mean (mmaction's "prob")."""
    return logits.softmax(-1).mean(1)


def average_scores(logits: Tensor) -> Tensor:
    """(B, V, K) logits of several views -> (B, K) logits: their mean (mmaction's "score")."""
    return torch.mean(logits, dim=1)
