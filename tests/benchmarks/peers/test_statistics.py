"""Statistics of repeated measurements: a difference that may be chance is not called faster."""

import pytest

from benchmarks.peers.statistics import quartiles, speed_up

NOISE = (0.98, 1.03, 1.0, 1.01, 0.97, 1.02, 0.99, 1.0, 1.04, 0.96)


def test_the_middle_and_the_quartiles() -> None:
    found = quartiles([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (found.low, found.median, found.high) == (2.0, 3.0, 4.0)
    assert found.noise == pytest.approx(1 / 3)
    assert quartiles([7.0]).noise == 0


def test_half_the_time_is_twice_as_fast() -> None:
    ratio = speed_up([2 * each for each in NOISE], list(reversed(NOISE)))
    assert ratio.low < 2 < ratio.high
    assert ratio.median == pytest.approx(2, abs=0.05)
    assert ratio.verdict == "faster"
    assert speed_up(NOISE, [2 * each for each in NOISE]).verdict == "slower"


def test_of_few_rounds_nothing_is_said() -> None:
    assert speed_up([2.0] * 5, [1.0] * 5).verdict == "unknown"
    assert speed_up([2.0] * 6, [1.0] * 6).verdict == "faster"


def test_what_differs_less_than_its_noise_is_a_tie() -> None:
    assert speed_up(NOISE, [1.005 * each for each in reversed(NOISE)]).verdict == "tie"


def test_a_difference_that_is_certain_and_tiny_is_a_tie() -> None:
    assert speed_up([1.005] * 10, [1.0] * 10).verdict == "tie"


def test_what_slows_whole_rounds_down_changes_no_ratio() -> None:
    slowed = [each * (10 if i % 2 else 1) for i, each in enumerate(NOISE)]
    found = speed_up([3 * each for each in slowed], slowed)
    assert (found.low, found.median, found.high) == pytest.approx((3, 3, 3))
