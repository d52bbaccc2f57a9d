"""The confidence interval of a median."""

from random import Random

from swinkit.engine.statistics import Interval, count_outside, median_interval


def test_the_interval_holds_the_median_with_the_certainty_that_it_claims():
    """Check by counting coins: six values enclose the median in 62 of 64 cases; of nine, one more goes."""
    assert [count_outside(count) for count in (1, 5, 6, 8, 9, 10, 20, 40)] == [0, 0, 0, 0, 1, 1, 5, 13]
    generator = Random(0)
    held = 0
    for _ in range(1000):
        interval = median_interval([generator.lognormvariate(0, 0.5) for _ in range(9)])
        held += interval.low <= 1 <= interval.high
    assert held > 950


def test_one_value_is_its_own_interval():
    assert median_interval([7.0]) == Interval(7.0, 7.0, 7.0)
