"""Pictures with their prediction and their true class, as tiles in rows.

Takes plain tensors and names. Shapes: h, w pixels of the picture. Lengths in pixels of what is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from torch import Tensor

from .overlays import ACCENT, DARK, GREY, WHITE, paste_centred
from .text import font, readable_name, shorten

SIDE = 224  # pixels of the square around a picture
GAP = 16
WORDS = 82  # height of the words below a picture
COLUMNS = 6
HEAD = 84  # height of the words above all
TITLE, LABEL, SMALL = 26, 18, 15  # sizes of the letters
RIGHT = (108, 190, 130)  # where answer and truth are the same
SHARP = 4  # times a picture is enlarged from which its pixels stay the squares they are


@dataclass(frozen=True)
class Tile:
    """One picture, (3, h, w) uint8; `truth` and `answer` are a class's number, name and score in [0, 1]."""

    image: Tensor
    name: str
    truth: tuple[int, str, float]
    answer: tuple[int, str, float]


def draw_gallery(tiles: Sequence[Tile], *, title: str, subtitle: str) -> Image.Image:
    """Draw a heading of two lines, then the tiles in their order."""
    columns = max(min(COLUMNS, len(tiles)), 3)  # wide enough for the head
    rows = -(-len(tiles) // columns)
    size = (GAP + columns * (SIDE + GAP), HEAD + rows * (SIDE + WORDS + GAP))
    canvas = Image.new("RGB", size, DARK)
    draw, room = ImageDraw.Draw(canvas), size[0] - 2 * GAP
    draw.text((GAP, GAP), shorten(title, font(TITLE), room), WHITE, font(TITLE))
    draw.text((GAP, GAP + 34), shorten(subtitle, font(SMALL), room), GREY, font(SMALL))
    for place, tile in enumerate(tiles):
        left = GAP + place % columns * (SIDE + GAP)
        draw_tile(canvas, (left, HEAD + place // columns * (SIDE + WORDS + GAP)), tile)
    return canvas


def draw_tile(canvas: Image.Image, place: tuple[int, int], tile: Tile) -> None:
    """Draw a picture, and below it prediction, true class and name; `place` is (left, top)."""
    left, top = place
    canvas.paste(frame_in_square(tile.image), place)
    same = tile.truth[0] == tile.answer[0]
    lines = ((tile.answer, RIGHT if same else ACCENT, LABEL, 6), (tile.truth, WHITE, LABEL, 30))
    draw = ImageDraw.Draw(canvas)
    for (number, name, score), colour, size, below in lines:
        percent, y = f"{score:.1%}", top + SIDE + below
        room = SIDE - font(size).getlength(percent) - 10
        draw.text((left, y), shorten(readable_name(name, number), font(size), room), colour, font(size))
        draw.text((left + SIDE, y), percent, colour, font(size), anchor="ra")
    name = shorten(tile.name, font(SMALL), SIDE, keep_end=True)
    draw.text((left, top + SIDE + 56), name, GREY, font(SMALL))


def frame_in_square(image: Tensor) -> Image.Image:
    """Fit a picture (3, h, w) uint8 whole and undistorted into a dark square."""
    scale = SIDE / max(image.shape[1:])
    return paste_centred(image, scale, (SIDE, SIDE), sharp=scale >= SHARP)
