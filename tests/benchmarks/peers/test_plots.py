"""The plots of a record show its numbers, and are not drawn of nothing."""

import numpy as np
from PIL import Image

from benchmarks.peers.cases import VIT
from benchmarks.peers.plots import COLOURS, growth_plot, multiples, speed_up_plot
from benchmarks.peers.record import growth
from swinkit.viz.overlays import ACCENT, OTHER

from .measurements import answers, grows, record, timed


def amount(picture: Image.Image | None, colour: tuple[int, int, int]) -> int:
    """Count the pixels of a colour."""
    assert picture is not None
    return int((np.asarray(picture) == colour).all(-1).sum())


def test_bars_are_as_long_as_their_candidates_are_fast() -> None:
    made = record()
    made.cases = [answers()]
    before = speed_up_plot(made)
    assert min(amount(before, ACCENT), amount(before, OTHER)) > 1000
    made.cases[0].results[1] = timed("swinkit-engine", 0.02)  # twice as fast as before
    after = speed_up_plot(made)
    share = amount(before, ACCENT) / amount(before, OTHER)
    assert amount(after, ACCENT) / amount(after, OTHER) > 1.4 * share


def test_there_is_no_plot_of_nothing() -> None:
    made = record()
    made.cases = grows()[:1]
    assert speed_up_plot(made) is None
    assert growth_plot(made) is None


def test_growth_is_drawn_for_each_model() -> None:
    made = growth_plot(record())
    assert min(amount(made, COLOURS[name]) for name in ("swinkit", VIT)) > 100
    assert amount(made, COLOURS["swinkit-engine"]) == 0


def test_growth_is_in_multiples_of_the_smallest() -> None:
    assert multiples(growth(record(), VIT), "time") == ([1, 4], [1, 8])
    assert multiples(growth(record(), "swinkit"), "memory") == ([1, 4], [1, 4])
