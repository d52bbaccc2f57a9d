"""A classifier: backbone, head, and the way from a picture to named classes.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...core.backbone import Swin
from ...data.preprocess import Preprocess
from ...heads.classify import ClassificationHead
from ..task import Task
from .data import Batch
from .losses import cross_entropy
from .metrics import Accuracy


class Classifier(Task):
    """(B, in_channels, *P) -> (B, K) logits; `predict` takes pictures and answers with names."""

    def __init__(self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess, *, smoothing: float = 0.0):
        super().__init__()
        self.backbone = backbone
        self.head = ClassificationHead(backbone.spec.widths[-1], len(labels))
        self._labels = tuple(labels)
        self.preprocess = preprocess
        self.smoothing = smoothing
        self.accuracy = Accuracy.empty(len(labels))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, by index."""
        return self._labels

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, in_channels, *P) normalised -> (B, K) logits."""
        return self.head(self.backbone(pixels)[-1])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The cross-entropy of one training batch."""
        return {"cross_entropy": cross_entropy(self(batch.pixels), batch.targets, self.smoothing)}

    @torch.no_grad()
    def observe(self, batch: Batch) -> None:
        """Count one validation batch."""
        self.accuracy += Accuracy.of(self(batch.pixels), batch.targets)

    def scores(self) -> dict[str, float]:
        """`top1` and `top5` in [0, 1] since the last call."""
        counts, self.accuracy = self.accuracy, Accuracy.empty(len(self._labels))
        return {"top1": counts.top1, "top5": counts.top5}
