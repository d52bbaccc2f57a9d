"""Evaluation of a model of several labels."""

from dataclasses import dataclass
from typing import Any

from ..whole_pictures.evaluation import PictureEvaluation
from .metrics import LabelScores

CLASSES = "per_class.csv"


@dataclass(frozen=True, kw_only=True)
class MultiLabelEvaluation(PictureEvaluation):
    """Logits beside targets, 0 or 1; a class counts as shown from the probability `threshold`."""

    threshold: float

    @property
    def rows_file(self) -> str:
        """The file's name for the rows."""
        return CLASSES

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each class: shares in [0, 1]; the average precision is None without pictures."""
        found = LabelScores(self.outputs, self.targets, self.threshold)
        right, answered, truth = found.counts.tolist()
        each = zip(self.labels, truth, found.average_precision, right, answered, found.f1, strict=True)
        return [
            {
                "class": name,
                "pictures": count,
                "average_precision": average,
                "recall": hits / max(1, count),
                "precision": hits / max(1, given),
                "f1": f1,
            }
            for name, count, average, hits, given, f1 in each
        ]

    def spell(self, name: str, number: Any) -> str:
        """Return a number of a row, or a score, for people."""
        if name == "pictures":
            return str(number)
        return "-" if number is None else f"{number:.4f}" if name == "loss" else f"{number:.2%}"

    def to_json(self) -> dict[str, Any]:
        """Return the scores, the `threshold`, the rows of `values`, and the protocol."""
        return {**super().to_json(), "threshold": self.threshold}
