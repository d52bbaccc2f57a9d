"""Statistics of repeated measurements: medians, quartiles, and ratios with their intervals. Torch-free.

`torch.utils.benchmark` gives the median and quartiles of one callable. Here candidates are compared round by
round, which needs the single times of all rounds and an interval of their ratio.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from swinkit.engine.statistics import MIN_ROUNDS, median_interval

SMALLEST_DIFFERENCE = 0.01  # relative; a smaller one is a tie, however certain it is


@dataclass(frozen=True)
class Quartiles:
    """The median and the quartiles."""

    median: float
    low: float
    high: float

    @property
    def noise(self) -> float:
        """Half the distance of the quartiles, divided by the median."""
        return (self.high - self.low) / 2 / self.median


@dataclass(frozen=True)
class Ratio:
    """A speed-up, and its confidence interval over `rounds` rounds."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def is_known(self) -> bool:
        """True if there were enough rounds for the interval."""
        return self.rounds >= MIN_ROUNDS

    @property
    def verdict(self) -> str:
        """`faster`, `slower`, `tie` if the interval holds 1 or nearly does, or `unknown`."""
        if not self.is_known:
            return "unknown"
        if self.low > 1 and self.median > 1 + SMALLEST_DIFFERENCE:
            return "faster"
        return "slower" if self.high < 1 and self.median < 1 - SMALLEST_DIFFERENCE else "tie"


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles of one value or more."""
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Quartiles(median, low, high)


def speed_up(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """Divide their times by ours, round by round, so that a slow round affects neither."""
    interval = median_interval([their / our for their, our in zip(theirs, ours, strict=False)])
    return Ratio(interval.median, interval.low, interval.high, min(len(theirs), len(ours)))
