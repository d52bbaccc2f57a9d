"""Metrics of reconstruction: exact sums, in any order and over any number of batches.

Shapes: B batch, C channels, *P size in pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Errors:
    """Sums over the masked values of a data set, in the units of the target."""

    error: float = 0.0  # |target - reconstruction|
    spread: float = 0.0  # |target|: what answering with the mean, which is 0 after normalising, would cost
    count: int = 0

    @property
    def l1(self) -> float:
        """The mean absolute error of a masked value."""
        return self.error / max(1, self.count)

    @property
    def explained(self) -> float:
        """Explained share of the targets' spread, at most 1; 0 for answering with the mean."""
        return 1 - self.error / self.spread if self.spread > 0 else 0.0

    def __add__(self, other: "Errors") -> "Errors":
        """Add the sums."""
        return Errors(self.error + other.error, self.spread + other.spread, self.count + other.count)

    @classmethod
    def of(cls, reconstruction: Tensor, target: Tensor, mask: Tensor) -> "Errors":
        """Sum errors of (B, C, *P) where `mask` (B, 1, *P) is 1."""
        hidden = mask.bool().expand_as(target)
        wanted = target[hidden].double()
        error = (wanted - reconstruction[hidden].double()).abs().sum()
        sums = torch.stack([error, wanted.abs().sum()]).tolist()
        return cls(sums[0], sums[1], wanted.numel())
