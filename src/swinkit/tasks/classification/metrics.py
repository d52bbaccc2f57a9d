"""Accuracy from counted pairs of class and answer: exact integers, whatever the order.

Only pairs that occurred are kept, so 21,841 classes cost no more than 10.

Shapes: B samples, K classes, M of them, N different pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

TOP = 5  # answers to a picture that are kept


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
    def shares(self) -> dict[str, float]:
        """`top1` and, where more than five classes let it be less than all, `top5`."""
        return {"top1": self.top1, "top5": self.top5} if self.num_classes > TOP else {"top1": self.top1}

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
    def answered(self) -> Tensor:
        """(K,) samples answered as each class."""
        return self.counted(self.pairs % self.num_classes, self.counts, self.num_classes)

    @property
    def recall(self) -> list[float]:
        """Per class: the share of its samples answered as it, in [0, 1]; 0 for a class without samples."""
        return (self.correct.double() / self.totals.clamp(min=1)).tolist()

    @property
    def precision(self) -> list[float]:
        """Per class: the share of the samples answered as it that are of it; 0 where it was no answer."""
        return (self.correct.double() / self.answered.clamp(min=1)).tolist()

    @property
    def f1(self) -> list[float]:
        """Per class: the harmonic mean of recall and precision, in [0, 1]; 0 where both are."""
        return (2 * self.correct.double() / (self.totals + self.answered).clamp(min=1)).tolist()

    @property
    def mistakes(self) -> list[tuple[int, int, int]]:
        """Class, answer and samples of each pair that differs, most samples first, then in order."""
        pairs = zip(self.pairs.tolist(), self.counts.tolist(), strict=True)
        found = [(*divmod(pair, self.num_classes), count) for pair, count in pairs]
        return sorted((one for one in found if one[0] != one[1]), key=lambda one: -one[2])

    @property
    def confused(self) -> dict[int, tuple[int, int]]:
        """Most frequent wrong answer of each class with mistakes, and its number of samples."""
        return {truth: (answer, count) for truth, answer, count in reversed(self.mistakes)}

    @property
    def confusion(self) -> Tensor:
        """(K, K) samples of class i answered as j; made when asked for, since many classes make it large."""
        cells = self.num_classes**2
        return self.counted(self.pairs, self.counts, cells).reshape(self.num_classes, self.num_classes)

    def most_confused(self, count: int) -> list[int]:
        """Return up to `count` classes, ascending: those of the most frequent mistakes, then others."""
        ranked = [each for truth, answer, _ in self.mistakes for each in (truth, answer)]
        return sorted(list(dict.fromkeys([*ranked, *range(self.num_classes)]))[:count])

    def among(self, classes: Sequence[int]) -> Tensor:
        """Return the samples of the i-th of M `classes` answered as the j-th of them, (M, M)."""
        place = {name: i for i, name in enumerate(classes)}
        found = torch.zeros(len(place), len(place), dtype=torch.long)
        for pair, count in zip(self.pairs.tolist(), self.counts.tolist(), strict=True):
            truth, answer = divmod(pair, self.num_classes)
            if truth in place and answer in place:
                found[place[truth], place[answer]] = count
        return found

    @staticmethod
    def counted(places: Tensor, counts: Tensor, length: int) -> Tensor:
        """Sum counts (N,) at places (N,) in [0, length) -> (length,)."""
        return torch.zeros(length, dtype=torch.long, device="cpu").index_add_(0, places, counts)

    @classmethod
    def of(cls, num_classes: int, labels: Tensor, answers: Tensor, hits5: int) -> "Accuracy":
        """Count pairs of classes (B,) and first answers (B,)."""
        pairs, counts = (labels * num_classes + answers).unique(return_counts=True)
        return cls(num_classes, pairs, counts, hits5)


def first_answers(logits: Tensor) -> Tensor:
    """Return the classes answered, best first, on the CPU: (B, K) -> (B, 5), fewer where K is less."""
    return logits.topk(min(TOP, logits.shape[1]), dim=1).indices.cpu()
