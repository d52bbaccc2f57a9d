"""A confusion matrix as a picture: a row a class, a column an answer.

Takes plain tensors and names. Shapes: M classes that are drawn. Lengths in pixels of what is drawn.
"""

from collections.abc import Mapping

from PIL import Image, ImageDraw
from torch import Tensor

from .overlays import ACCENT, DARK, DARKER, GREY, OTHER, WHITE
from .text import font, readable, shorten

ALL, SOME = 100, 40  # classes up to which all are drawn; how many of more
MARGIN = 24
HEAD = 116  # height of the words above the matrix, but for the names of the columns
WIDE = 900  # of a matrix, about
LEAST = 700  # width of all, so that the head has room
CELL = (14, 110)  # least and greatest width of a cell
COUNTED = 26  # width of a cell from which it shows its count
NAMES = 220  # greatest length of a name
RECALL = 74  # width of the column of shares
TITLE, SMALL = 26, 17  # sizes of the letters
Colour = tuple[int, int, int]


def confusion_matrix(
    counts: Tensor, totals: Tensor, names: Mapping[int, str], *, title: str, subtitle: str
) -> Image.Image:
    """(M, M) pictures of the i-th class answered as the j-th, (M,) pictures of each class -> RGB.

    `names` are the M classes' by their numbers. A cell is the brighter, the larger its share of its row's
    pictures: blue for right answers, orange for mistakes; the last column is the share that is right.
    """
    cell = min(max(WIDE // len(names), CELL[0]), CELL[1])
    letters = min(SMALL, cell - 1)
    drawn = [shorten(readable(name, number), font(letters), NAMES) for number, name in names.items()]
    longest = round(max(font(letters).getlength(name) for name in drawn)) + 12
    left, top = MARGIN + longest, HEAD + longest
    side = cell * len(names)
    size = (max(left + side + RECALL + MARGIN, LEAST), top + side + MARGIN)
    canvas = Image.new("RGB", size, DARK)
    draw_head(canvas, title, subtitle)
    for place, name in enumerate(drawn):
        at = place * cell + cell // 2
        ImageDraw.Draw(canvas).text((left - 8, top + at), name, WHITE, font(letters), anchor="rm")
        paste_upright(canvas, (left + at, top - 6), name, letters)
    canvas.paste(DARKER, (left, top, left + side, top + side))
    draw_cells(canvas, (left, top), cell, counts, totals)
    draw_recall(canvas, (left + side, top), cell, counts, totals)
    return canvas


def draw_head(canvas: Image.Image, title: str, subtitle: str) -> None:
    """What is shown, and how to read it."""
    draw, room = ImageDraw.Draw(canvas), canvas.width - 2 * MARGIN
    draw.text((MARGIN, 18), shorten(title, font(TITLE), room), WHITE, font(TITLE))
    draw.text((MARGIN, 52), shorten(subtitle, font(SMALL), room), GREY, font(SMALL))
    reading = "rows: what it is; columns: what was answered; last: share of the class that is right"
    draw.text((MARGIN, 76), shorten(reading, font(SMALL), room), GREY, font(SMALL))


def draw_cells(
    canvas: Image.Image, place: tuple[int, int], cell: int, counts: Tensor, totals: Tensor
) -> None:
    """Every cell that holds pictures, with their number where it fits. `place` is left, top."""
    draw = ImageDraw.Draw(canvas)
    shares = (counts / totals.clamp(min=1)[:, None]).tolist()
    for row, column in counts.nonzero().tolist():
        count, share = int(counts[row, column]), shares[row][column]
        x, y = place[0] + column * cell, place[1] + row * cell
        colour = blended(OTHER if row == column else ACCENT, share)
        draw.rectangle((x + 1, y + 1, x + cell - 1, y + cell - 1), colour)
        size = min(SMALL, cell - 10)
        if cell >= COUNTED and font(size).getlength(str(count)) <= cell - 4:
            ink = DARKER if sum(colour) > 360 else WHITE
            draw.text((x + cell / 2, y + cell / 2), str(count), ink, font(size), anchor="mm")


def draw_recall(
    canvas: Image.Image, place: tuple[int, int], cell: int, counts: Tensor, totals: Tensor
) -> None:
    """The share of each class that is right; a dash for one without pictures. `place` is left, top."""
    draw, size = ImageDraw.Draw(canvas), min(SMALL, cell - 1)
    for row, (right, total) in enumerate(zip(counts.diagonal().tolist(), totals.tolist(), strict=True)):
        text = f"{right / total:.1%}" if total else "-"
        at = (place[0] + RECALL, place[1] + row * cell + cell // 2)
        draw.text(at, text, GREY, font(size), anchor="rm")


def paste_upright(canvas: Image.Image, foot: tuple[int, int], text: str, size: int) -> None:
    """Text that reads upwards from `foot`, the middle of its lower end."""
    length = round(font(size).getlength(text)) + 4
    mask = Image.new("L", (length, size + 8))
    ImageDraw.Draw(mask).text((2, (size + 8) / 2), text, 255, font(size), anchor="lm")
    upright = mask.rotate(90, expand=True)
    canvas.paste(WHITE, (foot[0] - upright.width // 2, foot[1] - upright.height), upright)


def blended(colour: Colour, share: float) -> Colour:
    """From the dark ground to `colour`; the root lets few pictures be seen."""
    strength = 0.05 + 0.95 * min(1.0, share) ** 0.5
    red, green, blue = (
        round(dark + (bright - dark) * strength) for dark, bright in zip(DARKER, colour, strict=True)
    )
    return red, green, blue
