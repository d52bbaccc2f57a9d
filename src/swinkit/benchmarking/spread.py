"""What several measurements of the same come to: the middle one, and how far they lie apart. Torch-free."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

CERTAIN = 0.95  # with which an interval holds the true median
FEWEST = 6  # rounds from which on there is such an interval
SMALLEST = 0.01  # share of a time that is told apart: a smaller difference is called a tie, however certain


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    middle: float
    low: float
    high: float

    @property
    def noise(self) -> float:
        """Half the distance of the quartiles, as a share of the median."""
        return (self.high - self.low) / 2 / self.middle


@dataclass(frozen=True)
class Ratio:
    """How many times as fast, and the interval that holds it with a certainty of 95 %, of enough `rounds`."""

    middle: float
    low: float
    high: float
    rounds: int

    @property
    def known(self) -> bool:
        """Whether there were enough rounds to tell."""
        return self.rounds >= FEWEST

    @property
    def verdict(self) -> str:
        """In a word: `faster`, `slower`, a `tie` where the interval holds 1 or nearly does, or `unknown`."""
        if not self.known:
            return "unknown"
        if self.low > 1 and self.middle > 1 + SMALLEST:
            return "faster"
        return "slower" if self.high < 1 and self.middle < 1 - SMALLEST else "tie"


def spread(values: Sequence[float]) -> Spread:
    """Of one value or more."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def compared(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """Their times by ours, round by round, so that what slowed a whole round down slows neither.

    The interval is the sign test's, which asks nothing of how the ratios are distributed; of few, all.
    """
    ratios = sorted(their / our for their, our in zip(theirs, ours, strict=False))
    outside = left_out(len(ratios))
    return Ratio(statistics.median(ratios), ratios[outside], ratios[-1 - outside], len(ratios))


def left_out(count: int) -> int:
    """Of so many sorted values, how many at either end the interval does without.

    That so few lie on one side of the true median is as likely as so few heads of `count` coins.
    """
    likely, k = 0.0, 0
    while (likely := likely + comb(count, k) / 2**count) <= (1 - CERTAIN) / 2:
        k += 1
    return max(0, k - 1)
