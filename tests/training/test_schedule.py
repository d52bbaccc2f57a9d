"""The learning rate over a training."""

import pytest

from swinkit.training.recipe import Schedule
from swinkit.training.schedule import learning_rate

TEN = Schedule(epochs=10, warmup_epochs=2, final_lr=0.1)


def test_it_rises_linearly_to_the_peak_and_falls_along_a_cosine_to_the_final_rate() -> None:
    assert [learning_rate(e, 1.0, TEN) for e in (0, 1, 2, 6, 10)] == pytest.approx([0, 0.5, 1.0, 0.55, 0.1])


def test_without_warmup_it_starts_at_the_peak() -> None:
    assert learning_rate(0, 1.0, Schedule(epochs=10, warmup_epochs=0)) == 1.0
