"""Pictures with answers and truths, as tiles: all of them, in order, whatever their shapes and names."""

import numpy as np
import pytest
import torch

from swinkit.viz.gallery import COLUMNS, GAP, HEAD, RIGHT, SIDE, WORDS, Tile, draw_gallery
from swinkit.viz.overlays import ACCENT
from swinkit.viz.text import readable_name


def tile(value: int = 200, size: tuple[int, int] = (32, 32), *, right: bool = False, name: str = "a") -> Tile:
    """One of a single colour."""
    image = torch.full((3, *size), value, dtype=torch.uint8)
    answer = (0, name, 0.9) if right else (1, "dog", 0.9)
    return Tile(image=image, name=f"test/{name}.png", truth=(0, name, 0.1), answer=answer)


def draw(tiles: list[Tile]) -> np.ndarray:
    """Return the picture as an array."""
    return np.asarray(draw_gallery(tiles, title="The worst", subtitle="of all"))


@pytest.mark.parametrize("count", [1, 5, 6, 7, 24])
def test_tiles_stand_in_rows_in_their_order(count: int):
    picture = draw([tile(100 + i) for i in range(count)])
    for i in range(count):
        row, column = divmod(i, max(3, min(COLUMNS, count)))
        top, left = HEAD + row * (SIDE + WORDS + GAP), GAP + column * (SIDE + GAP)
        assert (picture[top : top + SIDE, left : left + SIDE] == 100 + i).all()


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (10, 900), (900, 10), (300, 400)])
def test_a_picture_is_whole_and_undistorted(size: tuple[int, int]):
    shown = (draw([tile(size=size)])[HEAD : HEAD + SIDE, GAP : GAP + SIDE] == 200).all(-1)
    rows, columns = shown.any(1).sum(), shown.any(0).sum()
    assert max(rows, columns) == SIDE
    assert abs(min(rows, columns) - max(1, SIDE * min(size) / max(size))) <= 1


def test_a_mistake_has_another_colour_than_a_right_answer():
    for right, there, missing in ((True, RIGHT, ACCENT), (False, ACCENT, RIGHT)):
        picture = draw([tile(right=right)])
        assert (picture == there).all(-1).any()
        assert not (picture == missing).all(-1).any()


def test_pictures_of_one_file_name_are_told_apart_by_their_class():
    first, second = (
        Tile(image=tile().image, name=f"test/{name}/0001.jpg", truth=(0, "a", 0.1), answer=(0, "a", 0.9))
        for name in ("cat", "ship")
    )
    assert (draw([first]) != draw([second])).any()


def test_names_of_any_length_and_script_stay_on_their_tile():
    for name in ("猫", "x" * 5000, "new\nline\x1b"):
        picture = draw([tile(name=name)])
        between = picture[HEAD:, GAP + SIDE : 2 * GAP + SIDE]
        assert (between == picture[0, 0]).all()


def test_a_name_that_cannot_be_drawn_is_told_by_its_number():
    assert readable_name("naïve", 3) == "naive"
    assert readable_name("猫", 3) == "#3 ?"
    assert readable_name("cat?", 3) == "cat?"
