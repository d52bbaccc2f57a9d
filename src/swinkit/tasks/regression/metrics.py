"""Scores of numbers.

Shapes: N pictures, K values.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class NumberScores:
    """Errors of answers (N, K) float64 against targets (N, K), each in the unit of its value."""

    answers: Tensor
    targets: Tensor

    @property
    def mae(self) -> list[float]:
        """Per value: the mean absolute error."""
        return (self.answers - self.targets).abs().mean(0).tolist()

    @property
    def rmse(self) -> list[float]:
        """Per value: the root of the mean squared error."""
        return (self.answers - self.targets).square().mean(0).sqrt().tolist()

    @property
    def r2(self) -> list[float]:
        """Per value: 1 minus the squared errors by those of the mean, at most 1.

        Of targets that are all equal, it is 1 for answers without error, and else 0.
        """
        errors = (self.answers - self.targets).square().sum(0)
        spread = (self.targets - self.targets.mean(0)).square().sum(0)
        pairs = zip(errors.tolist(), spread.tolist(), strict=True)
        return [1 - error / around if around else float(error == 0) for error, around in pairs]

    @property
    def scores(self) -> dict[str, float]:
        """`r2`, `mae` and `rmse`, the mean over the values."""
        each = {"r2": self.r2, "mae": self.mae, "rmse": self.rmse}
        return {name: sum(numbers) / len(numbers) for name, numbers in each.items()}
