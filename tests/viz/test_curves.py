"""Curves: what is in the picture, whatever the numbers are."""

import math

import numpy as np
import pytest

from swinkit.viz.curves import (
    ACCENT,
    BROKEN,
    HEAD,
    PANEL,
    WHITE,
    Curve,
    draw_curves,
    latest_values,
    value_range,
)


def pixels(curve, **options):
    """Return a picture of one curve, (h, w, 3)."""
    return np.asarray(draw_curves([curve], title="a run", **options))


def of_colour(image, colour):
    """Rows and columns of the pixels that are of a colour, without the heading and the legend."""
    panel = image[HEAD // 2 : -HEAD // 2].astype(int)
    return np.argwhere((np.abs(panel - colour) < 40).all(-1))


def test_a_curve_that_rises_is_drawn_from_the_lower_left_to_the_upper_right():
    places = of_colour(pixels(Curve("top1", [(1, 0.1), (2, 0.5), (3, 0.9)])), ACCENT)
    first, last = places[places[:, 1].argmin()], places[places[:, 1].argmax()]
    assert first[0] > last[0] + PANEL[1] / 3
    assert last[1] - first[1] > PANEL[0] / 3


def test_one_epoch_is_a_dot_inside_the_picture():
    image = pixels(Curve("top1", [(1, 0.5)]))
    assert len(of_colour(image, ACCENT)) > 20
    assert of_colour(image, ACCENT)[:, 1].max() < image.shape[1] - 12


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
        [(1, 1e308), (2, -1e308)],
        [(i, math.sin(i)) for i in range(1, 301)],
    ],
)
def test_whatever_the_numbers_are_a_picture_of_one_size_comes(points):
    assert pixels(Curve("x", points)).shape == (HEAD + PANEL[1], PANEL[0], 3)


def test_five_panels_stand_in_two_rows():
    image = draw_curves([Curve("x", [(1, 1.0)])] * 5, title="$a run$", unit="iteration", resumed=[0.5])
    assert image.size == (3 * PANEL[0], HEAD + 2 * PANEL[1])


def test_a_single_outlier_behind_does_not_flatten_the_rest():
    behind = [(i / 100, 1.0) for i in range(99)] + [(1.0, 1e6)]
    assert value_range(Curve("loss", [(1, 1.0), (2, 2.0)], behind))[1] < 3


@pytest.mark.parametrize("values", [(0.5, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)])
def test_an_axis_of_shares_ends_where_shares_do(values):
    least, most = value_range(Curve("top1", list(enumerate(values, start=1))))
    assert 0 <= least < most <= 1


def test_the_best_epoch_is_marked_where_held_out_pictures_decide_it():
    training, held_out = [(1, 2.0), (2, 1.0)], [(1, 2.0), (2, 4.0)]
    places = of_colour(pixels(Curve("loss", training, beside=held_out), best=2), WHITE)
    right = places[places[:, 1] > 0.9 * PANEL[0]]
    assert len(right) > 20
    assert right[:, 0].max() < PANEL[1] / 3


def test_the_latest_values_are_short():
    assert latest_values(Curve("x", [(1, 0.77921)])) == "0.7792"
    assert latest_values(Curve("x", [(1, 1e-6)], beside=[(1, math.nan)])) == "training 1e-06   validation nan"
    assert latest_values(Curve("x", [])) == ""
