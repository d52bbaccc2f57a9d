"""The pictures of a record show what was measured, and are not made of nothing."""

from PIL import Image

from swinkit.benchmarking.picture import COLOURS, FADED, grown, powers, ratios, series_of
from swinkit.benchmarking.record import growth
from swinkit.benchmarking.rows import VIT
from swinkit.viz.overlays import ACCENT, OTHER

from .measurements import answers, grows, record, timed


def amount(picture: Image.Image | None, colour: tuple[int, int, int]) -> int:
    """Pixels of a colour."""
    assert picture is not None
    return sum(count for count, each in picture.getcolors(2**24) or [] if each == colour)


def test_bars_are_as_long_as_their_candidates_are_fast() -> None:
    made = record()
    made.rows = [answers()]
    plain = amount(ratios(made), ACCENT)
    assert min(plain, amount(ratios(made), OTHER), amount(ratios(made), FADED)) > 1000
    made.rows[0].results[1] = timed("swinkit-engine", 0.05)  # now as fast as the fastest peer
    assert amount(ratios(made), OTHER) > 1.2 * amount(ratios(record()), OTHER)


def test_there_is_no_picture_of_nothing() -> None:
    made = record()
    made.rows = grows()[:1]
    assert ratios(made) is None
    assert grown(made) is None


def test_growth_is_drawn_for_each_model() -> None:
    made = grown(record())
    assert min(amount(made, COLOURS[name]) for name in ("swinkit", VIT)) > 500
    assert amount(made, COLOURS["swinkit-engine"]) == 0


def test_growth_is_told_in_times_of_the_smallest() -> None:
    assert series_of(growth(record(), VIT), "time") == [(1, 1), (4, 8)]
    assert series_of(growth(record(), "swinkit"), "memory") == [(1, 1), (4, 4)]


def test_an_axis_has_powers_of_ten_or_of_two() -> None:
    assert powers(1000) == [1, 10, 100, 1000]
    assert powers(9) == [1, 2, 4, 8]
