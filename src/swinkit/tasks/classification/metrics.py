"""Accuracy from counted pairs of class and answer: exact integers, in any order, over any number of batches.

Only pairs that occurred are kept, so 21,841 classes cost no more than 10.

Shapes: B batch, K classes, N different pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Accuracy:
    """Counts over a data set of `num_classes`, K.

    `pairs` (N,), ascending: class * K + first answer; `counts` (N,): samples of each; `hits5`: samples whose
    class is among the first five answers.
    """

    num_classes: int
    pairs: Tensor
    counts: Tensor
    hits5: int

    @property
    def top1(self) -> float:
        """Share of samples whose first answer is right, in [0, 1]."""
        return int(self.correct.sum()) / max(1, self.total)

    @property
    def top5(self) -> float:
        """Share of samples whose class is among the first five answers, in [0, 1]."""
        return self.hits5 / max(1, self.total)

    @property
    def total(self) -> int:
        """Samples counted."""
        return int(self.counts.sum())

    @property
    def totals(self) -> Tensor:
        """(K,) samples of each class."""
        return self.counted(self.pairs // self.num_classes, self.counts, self.num_classes)

    @property
    def correct(self) -> Tensor:
        """(K,) samples of each class whose first answer is right."""
        classes, answers = self.pairs // self.num_classes, self.pairs % self.num_classes
        right = classes == answers
        return self.counted(classes[right], self.counts[right], self.num_classes)

    @property
    def recall(self) -> list[float]:
        """Per class: the share of its samples answered as it, in [0, 1]; 0 for a class without samples."""
        return (self.correct / self.totals.clamp(min=1)).tolist()

    @property
    def confusion(self) -> Tensor:
        """(K, K) samples of class i answered as j; made when asked for, since many classes make it large."""
        cells = self.num_classes**2
        return self.counted(self.pairs, self.counts, cells).reshape(self.num_classes, self.num_classes)

    def __add__(self, other: "Accuracy") -> "Accuracy":
        """Counts of both, of the same classes."""
        both = torch.cat((self.pairs, other.pairs))
        pairs, places = both.unique(return_inverse=True)
        counts = self.counted(places, torch.cat((self.counts, other.counts)), len(pairs))
        return Accuracy(self.num_classes, pairs, counts, self.hits5 + other.hits5)

    @staticmethod
    def counted(places: Tensor, counts: Tensor, length: int) -> Tensor:
        """(N,) places in [0, length) and (N,) counts -> (length,) the sum of the counts at each."""
        return torch.zeros(length, dtype=torch.long, device="cpu").index_add_(0, places, counts)

    @classmethod
    def empty(cls, num_classes: int) -> "Accuracy":
        """Nothing counted yet."""
        nothing = torch.zeros(0, dtype=torch.long, device="cpu")
        return cls(num_classes, nothing, nothing, 0)

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> "Accuracy":
        """(B, K) and (B,) -> counts."""
        classes = logits.shape[1]
        order = logits.topk(min(5, classes), dim=1).indices.cpu()
        labels = labels.cpu()
        pairs, counts = (labels * classes + order[:, 0]).unique(return_counts=True)
        return cls(classes, pairs, counts, int((order == labels[:, None]).sum()))
