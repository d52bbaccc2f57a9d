"""What several measurements of the same come to: the middle one, and how far they lie apart. Torch-free."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2000
CERTAIN = 0.95  # share of the resamples that an interval holds
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
    """How many times as fast, and the interval that holds it with a certainty of 95 %."""

    middle: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """In a word: `faster`, `slower`, or a `tie`, where the interval holds 1 or nearly does."""
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

    The interval is that of a bootstrap over the rounds, drawn alike every time.
    """
    ratios = [their / our for their, our in zip(theirs, ours, strict=False)]
    drawn = random.Random(0)
    middles = sorted(statistics.median(drawn.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    outside = round(RESAMPLES * (1 - CERTAIN) / 2)
    return Ratio(statistics.median(ratios), middles[outside], middles[-1 - outside])
