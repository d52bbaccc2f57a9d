"""Accuracy from one confusion matrix: exact integer counts, in any order and over any number of batches.

Shapes: B batch, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Accuracy:
    """Counts over a data set.

    `confusion[i, j]`: samples of class i answered as j; `hits5`: those whose class is among the first five.
    """

    confusion: Tensor
    hits5: int

    @property
    def top1(self) -> float:
        """Share of samples whose first answer is right, in [0, 1]."""
        return self.confusion.diagonal().sum().item() / max(1, self.total)

    @property
    def top5(self) -> float:
        """Share of samples whose class is among the first five answers, in [0, 1]."""
        return self.hits5 / max(1, self.total)

    @property
    def total(self) -> int:
        """Samples counted."""
        return int(self.confusion.sum())

    @property
    def recall(self) -> list[float]:
        """Per class: the share of its samples answered as it, in [0, 1]; 0 for a class without samples."""
        return (self.confusion.diagonal() / self.confusion.sum(1).clamp(min=1)).tolist()

    def __add__(self, other: "Accuracy") -> "Accuracy":
        """Counts of both."""
        return Accuracy(self.confusion + other.confusion, self.hits5 + other.hits5)

    @classmethod
    def empty(cls, num_classes: int) -> "Accuracy":
        """Nothing counted yet."""
        return cls(torch.zeros(num_classes, num_classes, dtype=torch.long, device="cpu"), 0)

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> "Accuracy":
        """(B, K) and (B,) -> counts."""
        classes = logits.shape[1]
        order = logits.topk(min(5, classes), dim=1).indices.cpu()
        labels = labels.cpu()
        pairs = labels * classes + order[:, 0]
        confusion = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        return cls(confusion, int((order == labels[:, None]).sum()))
