"""Evaluation of a model of whole pictures: outputs and targets of every picture, a row for each value.

Shapes: N pictures, K values.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from ...data.dataset import Dataset
from ...data.preprocess import Preprocess
from ..evaluation import Evaluation, Table, as_csv, protocol, summary

PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, kw_only=True)
class PictureEvaluation(Evaluation):
    """Outputs (N, K) for `samples`, fitted by `preprocess`, beside the targets (N, K), and their `scores`."""

    task: str
    labels: tuple[str, ...]
    samples: Dataset
    preprocess: Preprocess
    outputs: Tensor
    targets: Tensor
    scores: Mapping[str, float]

    @property
    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """A row of numbers for each value, which begins with its name."""

    @property
    @abstractmethod
    def rows_file(self) -> str:
        """The file's name for the rows."""

    @abstractmethod
    def spell(self, name: str, number: Any) -> str:
        """Return a number of a row, or a score, for people."""

    def __str__(self) -> str:
        """Return the scores in one line."""
        return "  ".join(f"{name} {self.spell(name, score)}" for name, score in self.scores.items())

    @property
    def summary(self) -> str:
        """Protocol of the measurement, in one line."""
        return summary(self.samples, self.preprocess)

    def to_json(self) -> dict[str, Any]:
        """Return the scores, the number of `pictures`, the rows of `values`, and the protocol."""
        stated = protocol(self.task, self.samples, self.preprocess)
        return {**stated, **self.scores, "pictures": len(self.samples), "values": self.rows}

    def table(self) -> Table:
        """Return a row for each value."""
        head, *numbers = self.rows[0]
        rows = [[row[head], *(self.spell(name, row[name]) for name in numbers)] for row in self.rows]
        return Table([head, *numbers], rows, right=numbers)

    def files(self) -> dict[str, str | Image.Image]:
        """Return tables of the values, and of outputs and targets of each picture, by name."""
        columns = [f"{name} ({what})" for what in ("true", "answer") for name in self.labels]
        pairs = zip(self.samples.ids, self.targets.tolist(), self.outputs.tolist(), strict=True)
        return {
            self.rows_file: as_csv(tuple(self.rows[0]), (row.values() for row in self.rows)),
            PREDICTIONS: as_csv(("id", *columns), ((name, *true, *answer) for name, true, answer in pairs)),
        }
