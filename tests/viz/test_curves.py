"""Curves: what is in the picture, whatever the numbers are."""

import math

import numpy as np
import pytest

from swinkit.viz.curves import (
    ACCENT,
    BROKEN,
    CAPTION,
    HEAD,
    OTHER,
    PANEL,
    Curve,
    alike,
    curves,
    short,
    span,
    ticks,
)


def pixels(curve, **options):
    """A picture of one curve, (h, w, 3)."""
    return np.asarray(curves([curve], title="a run", **options))


def of_colour(image, colour):
    """Rows and columns of the pixels that are of a colour."""
    return np.argwhere((np.abs(image.astype(int) - colour) < 40).all(-1))


def test_a_curve_that_rises_is_drawn_from_the_lower_left_to_the_upper_right():
    places = of_colour(pixels(Curve("top1", [(1, 0.1), (2, 0.5), (3, 0.9)])), ACCENT)
    first, last = places[places[:, 1].argmin()], places[places[:, 1].argmax()]
    assert first[0] > last[0] + PANEL[1] / 3
    assert last[1] - first[1] > PANEL[0] / 3


def test_one_epoch_is_a_dot_inside_the_picture():
    image = pixels(Curve("top1", [(1, 0.5)]), best=1)
    assert len(of_colour(image, OTHER)) > 20
    assert of_colour(image, OTHER)[:, 1].max() < image.shape[1] - 12


def test_what_is_not_finite_breaks_the_line_and_is_marked():
    whole = pixels(Curve("loss", [(i, 2.0) for i in range(1, 10)]))
    broken = pixels(Curve("loss", [(i, math.nan if i in (4, 5) else 2.0) for i in range(1, 10)]))
    assert not len(of_colour(whole, BROKEN))
    assert len(of_colour(broken, BROKEN)) > 20
    assert len(of_colour(broken, ACCENT)) < len(of_colour(whole, ACCENT))


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(1, math.nan)],
        [(1, math.inf), (2, -math.inf)],
        [(1, 0.0), (2, 0.0)],
        [(1, 1e30), (2, 1e-30)],
        [(i, math.sin(i)) for i in range(1, 301)],
    ],
)
def test_whatever_the_numbers_are_a_picture_of_one_size_comes(points):
    assert pixels(Curve("x", points)).shape == pixels(Curve("x", [(1, 1.0)])).shape


def test_a_single_outlier_behind_does_not_flatten_the_rest():
    behind = [(i / 100, 1.0) for i in range(99)] + [(1.0, 1e6)]
    assert span(Curve("loss", [(1, 1.0), (2, 2.0)], behind))[1] < 3


@pytest.mark.parametrize(
    ("least", "most", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 300, [0, 100, 200, 300]),
        (0.71, 0.79, [0.72, 0.74, 0.76, 0.78]),
    ],
)
def test_ticks_are_round_and_inside(least, most, wanted):
    assert ticks(least, most) == pytest.approx(wanted)


@pytest.mark.parametrize("values", [(0.5, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)])
def test_an_axis_of_shares_ends_where_shares_do(values):
    least, most = span(Curve("top1", list(enumerate(values, start=1))))
    assert 0 <= least < most <= 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 5e-4, 1e-3], ["0", "5e-4", "1e-3"]),
        ([0.9, 0.95, 1.0], ["0.90", "0.95", "1.00"]),
        ([0, 5, 10], ["0", "5", "10"]),
        ([0, 50_000, 100_000], ["0", "5e4", "1e5"]),
        ([], []),
    ],
)
def test_the_numbers_of_an_axis_are_in_one_notation(values, wanted):
    assert alike(values) == wanted


def test_the_best_epoch_is_marked_where_held_out_pictures_tell_it():
    training, held_out = [(1, 2.0), (2, 1.0)], [(1, 2.0), (2, 4.0)]
    image = pixels(Curve("loss", training, beside=held_out), best=2)
    white = of_colour(image[CAPTION + HEAD :], (255, 255, 255))
    assert white[:, 0].max() < PANEL[1] / 3


def test_ticks_of_epochs_are_whole():
    assert ticks(0, 2, whole=True) == [0, 1, 2]


def test_numbers_are_short():
    assert [short(value) for value in (0, 12.0, 0.77921, 0.00031416, 1e-6, math.nan)] == [
        "0", "12", "0.7792", "3.142e-4", "1e-6", "nan",
    ]  # fmt: skip
