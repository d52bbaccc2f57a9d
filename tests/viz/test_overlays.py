"""Cards and sheets: readable at any size and shape of the picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from swinkit.viz.overlays import ACCENT, DARK, FRAME, HEIGHT, MARGIN, PANEL, TRACK, draw_card, draw_sheet
from swinkit.viz.text import font, shorten

LABELS, SCORES = ("cat", "dog"), (0.75, 0.25)


def draw(image, labels=LABELS, scores=SCORES, title="cat.jpg"):
    return draw_card(image, labels, scores, title=title, subtitle="45x30 pixels")


@pytest.mark.parametrize(
    "size", [(1, 1), (20, 3000), (3000, 20), (32, 32), (480, 640), (640, 480), (1, 1000)]
)
def test_any_picture_fits_whole_and_undistorted(size):
    """A picture of one colour: where it stands on the card, its shape is that of the original."""
    image = torch.full((3, *size), 77, dtype=torch.uint8)
    picture = draw(image)
    assert picture.mode == "RGB"
    assert picture.height == HEIGHT
    assert FRAME[0] + PANEL <= picture.width <= FRAME[1] + PANEL
    shown = (np.asarray(picture)[:, : picture.width - PANEL] == 77).all(-1)
    rows, columns = shown.any(1).sum(), shown.any(0).sum()
    assert rows == HEIGHT or columns == FRAME[1]
    scale = columns / size[1] if columns > rows else rows / size[0]
    assert abs(rows - max(1, size[0] * scale)) <= 1
    assert abs(columns - max(1, size[1] * scale)) <= 1


def test_the_pixels_of_an_icon_stay_squares():
    image = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).expand(3, 2, 2)
    shown = np.asarray(draw(image))[:, :HEIGHT]
    assert set(np.unique(shown)) == {0, 255}
    assert shown[HEIGHT // 4, HEIGHT // 4].tolist() == [0, 0, 0]


def bar_of(picture, colour):
    """Pixels of `colour` in the widest row of the panel."""
    panel = np.asarray(picture)[:, -PANEL:]
    return int((panel == colour).all(-1).sum(1).max())


@pytest.mark.parametrize("score", [0.0, 0.001, 0.3, 0.75, 1.0])
def test_a_bar_is_as_long_as_its_score(score):
    width = PANEL - 2 * MARGIN
    picture = draw(None, ("cat",), (score,))
    assert abs(bar_of(picture, ACCENT) - width * score) <= 2
    assert abs(bar_of(picture, TRACK) - width * (1 - score)) <= 2


def test_without_a_picture_only_the_panel_is_drawn():
    assert draw(None).size == (PANEL, HEIGHT)


def test_long_names_stay_inside_the_panel():
    long = "a very long label of ImageNet, " * 50
    picture = np.asarray(draw(None, (long,) * 9, (0.1,) * 9, title="x" * 5000))
    edges = np.concatenate([picture[:, : MARGIN - 2], picture[:, PANEL - MARGIN + 2 :]], axis=1)
    assert (edges == DARK).all()
    assert (picture[-8:] == DARK).all()


def test_a_label_in_another_script_can_still_be_drawn():
    assert draw(None, ("猫", "Ästhetik"), SCORES, title="кот\n\x1b.jpg").size == (PANEL, HEIGHT)


def test_shortening():
    face = font(20)
    assert shorten("short", face, 1000) == "short"
    cut = shorten("a long line of words", face, 100)
    assert cut.endswith("...")
    assert "a long".startswith(cut[:4])
    assert face.getlength(cut) <= 100
    name = shorten("holiday_in_the_mountains_2024_0017.jpg", face, 200, keep_end=True)
    assert name.startswith("hol")
    assert name.endswith("0017.jpg")
    assert face.getlength(name) <= 200
    assert shorten("Äé", face, 100) == "Ae"
    assert shorten("anything", face, 0) == "..."
    assert face.getlength(shorten("w" * 10**6, face, 300)) <= 300


def test_a_sheet_holds_every_card_once_and_in_order():
    cards = [Image.new("RGB", (300 + 40 * i, 100), (10 * i + 20, 0, 0)) for i in range(7)]
    picture = draw_sheet(cards, width=1000, height=100, gap=10)
    pixels = np.asarray(picture)[..., 0]
    counts = [(np.asarray(picture) == (10 * i + 20, 0, 0)).all(-1).sum() for i in range(7)]
    assert counts == [one.width * one.height for one in cards]
    assert picture.width <= 1000 + 10
    first = [np.argwhere(pixels == 10 * i + 20)[0].tolist() for i in range(7)]
    assert first == sorted(first)
    assert draw_sheet(cards[:1], width=50, height=100).height > 100  # one that is too wide still gets its row
