"""Evaluation of a regression."""

from dataclasses import dataclass
from typing import Any

from ..whole_pictures.evaluation import PictureEvaluation
from .metrics import NumberScores

VALUES = "per_value.csv"


@dataclass(frozen=True, kw_only=True)
class RegressionEvaluation(PictureEvaluation):
    """Answers beside targets, in the units of the data."""

    @property
    def rows_file(self) -> str:
        """The file's name for the rows."""
        return VALUES

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each value: R2, at most 1; mean absolute and root mean squared error, in its unit."""
        found = NumberScores(self.outputs, self.targets)
        each = zip(self.labels, found.r2, found.mae, found.rmse, strict=True)
        return [{"value": name, "r2": r2, "mae": mae, "rmse": rmse} for name, r2, mae, rmse in each]

    def spell(self, name: str, number: Any) -> str:  # noqa: ARG002  all alike
        """Return a number of a row, or a score, for people."""
        return f"{number:.4g}"
