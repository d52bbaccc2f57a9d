"""The scores of the made-up task."""

from dataclasses import dataclass
from typing import Any

from swinkit.tasks.evaluation import Evaluation, protocol

from .data import BoxDataset
from .model import BoxFinder


@dataclass(frozen=True)
class BoxEvaluation(Evaluation):
    model: BoxFinder
    samples: BoxDataset
    scores: dict[str, float]

    def __str__(self) -> str:
        return f"near {self.scores['near']:.0%}"

    @property
    def summary(self) -> str:
        return f"{len(self.samples)} pictures of {self.samples.split}"

    def to_json(self) -> dict[str, Any]:
        stated = protocol(self.model.name, self.samples, self.model.preprocess)
        return {**stated, **self.scores, "pictures": len(self.samples)}
