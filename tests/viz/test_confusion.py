"""The confusion matrix as a picture: of any number of classes, whatever they are called."""

import numpy as np
import pytest
import torch

from swinkit.viz.confusion import blend, colour_cells, contrast_of, draw_confusion_matrix, ink_on
from swinkit.viz.overlays import ACCENT, DARKER, OTHER, WHITE


def draw(counts: torch.Tensor, names: dict[int, str] | None = None) -> np.ndarray:
    """Return the picture as an array."""
    called = names or {i: f"class {i}" for i in range(len(counts))}
    totals = counts.sum(1)
    return np.asarray(draw_confusion_matrix(counts, totals, called, title="top-1 50%", subtitle="8 pictures"))


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels of one colour."""
    return int((picture == colour).all(-1).sum())


@pytest.mark.parametrize("classes", [1, 2, 10, 40, 100])
def test_every_cell_has_the_same_place_and_the_colour_of_its_share(classes: int):
    picture = draw(torch.eye(classes, dtype=torch.long) * 9)
    right = has(picture, OTHER)
    assert right > 0
    assert not has(picture, ACCENT)
    if classes > 1:
        swapped = draw(torch.eye(classes, dtype=torch.long).roll(1, 0) * 9)
        assert has(swapped, ACCENT) == pytest.approx(right, rel=0.2)
        assert not has(swapped, OTHER)
    assert max(picture.shape) < 1800


def test_rows_are_the_true_class_and_columns_the_prediction():
    counts = torch.tensor([[5, 5], [0, 10]])
    picture = draw(counts)
    half = [blend(colour, 0.5) for colour in (OTHER, ACCENT)]
    places = [np.argwhere((picture == colour).all(-1)).mean(0) for colour in (*half, blend(OTHER, 1))]
    (right_row, right_column), (wrong_row, wrong_column), (sure_row, sure_column) = places
    assert right_row == pytest.approx(wrong_row, abs=3)
    assert wrong_column == pytest.approx(sure_column, abs=3)
    assert right_column < wrong_column
    assert right_row < sure_row


def test_a_larger_share_is_brighter_and_an_empty_cell_dark():
    shades = [sum(blend(ACCENT, share)) for share in (0, 0.001, 0.01, 0.1, 1)]
    assert shades == sorted(set(shades))
    assert shades[0] > sum(DARKER)
    cells = colour_cells(torch.tensor([[3, 0], [4, 0]]), torch.tensor([3, 4]))
    assert cells.tolist() == [[list(OTHER), list(DARKER)], [list(ACCENT), list(DARKER)]]


def test_a_number_can_be_read_on_every_cell():
    assert contrast_of((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert ink_on(ACCENT) == ink_on(OTHER) == DARKER
    assert ink_on(DARKER) == WHITE
    for colour in (ACCENT, OTHER):
        for share in torch.linspace(0, 1, 50).tolist():
            ground = blend(colour, share)
            assert contrast_of(ink_on(ground), ground) > 4, share


def test_a_class_without_pictures_is_no_division_by_zero():
    assert draw(torch.tensor([[0, 0], [1, 3]])).shape[2] == 3


def test_names_of_any_length_and_script_keep_the_picture_small():
    names = {0: "猫", 7: "x" * 3000, 9: "$new\nline\x1b"}
    assert max(draw(torch.ones(3, 3, dtype=torch.long), names).shape) < 1000
