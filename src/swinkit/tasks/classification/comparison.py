"""Paired comparison of two classifiers: the difference in top-1 and its uncertainty."""

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedComparison:
    """Comparison of two classifiers on the same pictures: top-1 of the first minus top-1 of the second."""

    pictures: int
    first_only: int  # pictures that the first alone answers rightly
    second_only: int
    interval: tuple[float, float]  # of the difference
    seed: int = 0

    @property
    def difference(self) -> float:
        """Difference in top-1 over the pictures, in [-1, 1]."""
        return (self.first_only - self.second_only) / self.pictures

    @property
    def p_value(self) -> float:
        """Probability that equally good classifiers differ as much or more (McNemar's exact test)."""
        return sign_test(self.first_only, self.second_only)

    @classmethod
    def of(cls, first: Tensor, second: Tensor, seed: int = 0) -> "PairedComparison":
        """Compare two (N,) bool: which of the same N pictures each classifier answers rightly."""
        alone, other = int((first & ~second).sum()), int((second & ~first).sum())
        return cls(len(first), alone, other, bootstrap(len(first), alone, other, seed), seed)

    def to_json(self) -> dict[str, object]:
        """Return shares in [0, 1], the interval, its confidence, and how it was resampled."""
        return {
            "difference": self.difference,
            "interval": list(self.interval),
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "seed": self.seed,
            "first_only": self.first_only,
            "second_only": self.second_only,
            "p_value": self.p_value,
        }

    def report(self, other: str) -> list[str]:
        """Return lines for people: how much better than `other`, and how sure that is."""
        low, high = (f"{100 * end:+.2f}" for end in self.interval)
        how = f"paired bootstrap, {RESAMPLES} resamples, seed {self.seed}"
        first, second = self.first_only, self.second_only
        alone = f"right where the other errs: {first} pictures, the other way round {second}"
        return [
            f"against {other}: {100 * self.difference:+.2f} points of top-1",
            f"  {CONFIDENCE:.0%} interval {low} to {high} ({how})",
            f"  {alone} (McNemar's exact p = {self.p_value:.2g})",
        ]


def bootstrap(pictures: int, first_only: int, second_only: int, seed: int) -> tuple[float, float]:
    """Return the percentile interval of the difference by a paired bootstrap over the pictures.

    A picture counts in one of three ways: only the first classifier is right, only the second, or both alike.
    The counts of a resample therefore follow a multinomial distribution. One draw of it replaces drawing
    every picture, so the cost does not grow with the number of pictures.
    """
    shares = np.array([first_only, second_only, pictures - first_only - second_only]) / pictures
    drawn = np.random.default_rng(seed).multinomial(pictures, shares, size=RESAMPLES)
    differences = (drawn[:, 0] - drawn[:, 1]) / pictures
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def sign_test(heads: int, tails: int) -> float:
    """Return the probability that a fair coin falls at least as unevenly, to either side."""
    tosses = heads + tails
    rare = range(min(heads, tails) + 1)
    logarithms = [math.lgamma(tosses + 1) - math.lgamma(k + 1) - math.lgamma(tosses - k + 1) for k in rare]
    return min(1.0, 2 * math.fsum(math.exp(each - tosses * math.log(2)) for each in logarithms))
