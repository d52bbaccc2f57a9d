"""Scores of several labels for each picture.

Shapes: N pictures, K classes.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LabelScores:
    """Scores of logits (N, K) float64 against targets (N, K), 0 or 1; shown is what reaches `threshold`."""

    logits: Tensor
    targets: Tensor
    threshold: float

    @property
    def loss(self) -> float:
        """The mean binary cross-entropy, without label smoothing."""
        return F.binary_cross_entropy_with_logits(self.logits, self.targets).item()

    @cached_property
    def average_precision(self) -> list[float | None]:
        """Per class: the area under precision over recall, in [0, 1]; None for a class without pictures."""
        return [average_precision(*pair) for pair in zip(self.logits.T, self.targets.T > 0.5, strict=True)]

    @property
    def mean_average_precision(self) -> float:
        """Mean of the average precision over the classes with pictures, in [0, 1]; 0 if no class has any."""
        found = [each for each in self.average_precision if each is not None]
        return sum(found) / max(1, len(found))

    @cached_property
    def counts(self) -> Tensor:
        """(3, K) pictures of each class that are rightly answered, answered, and of the class."""
        answered, truth = self.logits.sigmoid() >= self.threshold, self.targets > 0.5
        return torch.stack([(answered & truth).sum(0), answered.sum(0), truth.sum(0)])

    @property
    def f1(self) -> list[float]:
        """Per class: the harmonic mean of recall and precision, in [0, 1]; 0 where both are."""
        right, answered, truth = self.counts.double()
        return (2 * right / (answered + truth).clamp(min=1)).tolist()

    @property
    def scores(self) -> dict[str, float]:
        """`mAP`, `f1` of all answers together, and `macro_f1`, the mean over the classes; in [0, 1]."""
        right, answered, truth = self.counts.sum(1).tolist()
        together = 2 * right / max(1, answered + truth)
        return {"mAP": self.mean_average_precision, "f1": together, "macro_f1": sum(self.f1) / len(self.f1)}


def average_precision(scores: Tensor, truth: Tensor) -> float | None:
    """Return the average precision of scores (N,) for truth (N,) bool; None without a true one.

    It is the sum over thresholds of precision times the rise of recall. Pictures of one score are answered
    together, so that their order does not matter.
    """
    if not truth.any():
        return None
    ordered, order = scores.sort(descending=True)
    right = truth[order].cumsum(0).double()
    last = torch.cat((ordered[1:] != ordered[:-1], torch.ones(1, dtype=torch.bool)))
    answered = torch.arange(1, len(scores) + 1, dtype=torch.float64)[last]
    right = right[last]
    rise = right.diff(prepend=torch.zeros(1, dtype=torch.float64)) / right[-1]
    return float((rise * right / answered).sum())
