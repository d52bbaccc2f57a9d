"""The answers of a classifier to each picture of a data set, in order.

Shapes: B batch, K classes, N pictures.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .metrics import Accuracy, first_answers


@dataclass(frozen=True)
class Answers:
    """The answers to N pictures: tensors (N,) on the CPU."""

    labels: Tensor  # int64: the class that is right
    first: Tensor  # int64: the class that was answered
    among5: Tensor  # bool: the right class is among the first five answers
    scores: Tensor  # float64: the probability of the answer, in [0, 1]
    losses: Tensor  # float64: minus the natural logarithm of the right class's probability

    @property
    def right(self) -> Tensor:
        """(N,) bool: the first answer is right."""
        return self.labels == self.first

    @property
    def likely(self) -> Tensor:
        """(N,) the probability of the right class, in [0, 1]."""
        return self.losses.neg().exp()

    @property
    def loss(self) -> float:
        """The mean cross-entropy, without label smoothing."""
        return self.losses.mean().item()

    def accuracy(self, num_classes: int) -> Accuracy:
        """Return the counts, class by class."""
        return Accuracy.of(num_classes, self.labels, self.first, int(self.among5.sum()))

    def worst(self, count: int) -> list[int]:
        """Return up to `count` pictures, those of the highest loss first."""
        return self.losses.argsort(descending=True, stable=True)[:count].tolist()

    @property
    def records(self) -> dict[int, list[float]]:
        """The five numbers of each picture, by its position: the records of `Observed`."""
        rows = torch.stack([column.double() for column in astuple(self)], dim=1)
        return dict(enumerate(rows.tolist()))

    @classmethod
    def of_records(cls, records: Mapping[int, list[float]]) -> "Answers":
        """Return the answers that have these records, in their order."""
        rows = torch.tensor(list(records.values()), dtype=torch.float64, device="cpu")
        labels, first, among5, scores, losses = rows.reshape(-1, 5).unbind(1)
        return cls(labels.long(), first.long(), among5.bool(), scores, losses)

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> "Answers":
        """Return the answers to one batch, from logits (B, K) and labels (B,), in at least fp32."""
        order, right = first_answers(logits), labels.cpu()
        wide = torch.promote_types(logits.dtype, torch.float32)
        logarithms = logits.to(wide).log_softmax(1).cpu()
        return cls(
            labels=right,
            first=order[:, 0],
            among5=(order == right[:, None]).any(1),
            scores=logarithms.gather(1, order[:, :1])[:, 0].double().exp(),
            losses=F.nll_loss(logarithms, right, reduction="none").double(),
        )
