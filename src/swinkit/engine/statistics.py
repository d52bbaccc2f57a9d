"""The median of repeated measurements with a confidence interval. Torch-free."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

CONFIDENCE = 0.95
MIN_ROUNDS = 6  # fewest values whose range contains the median with this confidence


@dataclass(frozen=True)
class Interval:
    """A median and its confidence interval."""

    median: float
    low: float
    high: float


def median_interval(values: Sequence[float]) -> Interval:
    """Return the median of one value or more, with the interval of the sign test.

    The test assumes nothing about the distribution. Of fewer than `MIN_ROUNDS` values the interval holds all.
    """
    ordered = sorted(values)
    outside = count_outside(len(ordered))
    return Interval(statistics.median(ordered), ordered[outside], ordered[-1 - outside])


def count_outside(count: int) -> int:
    """Return how many of `count` sorted values lie outside the interval at either end.

    A value falls below the true median with probability 1/2, so that their number is binomial.
    """
    probability, k = 0.0, 0
    while (probability := probability + comb(count, k) / 2**count) <= (1 - CONFIDENCE) / 2:
        k += 1
    return max(0, k - 1)
