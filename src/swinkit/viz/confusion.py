"""A confusion matrix as a picture: a row for each class, a column for each prediction.

Takes plain tensors and names. Shapes: M classes that are drawn. Lengths in pixels of what is drawn.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from .figure import Colour, add_heading, fit_line, render, rgb
from .overlays import ACCENT, DARK, DARKER, GREY, OTHER, WHITE
from .text import readable_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALL, SOME = 100, 40  # classes up to which all are drawn; how many of more
WIDE = 900  # of a matrix, about
LEAST = 760  # width of all, so that the heading has room
CELL = (14, 110)  # least and greatest width of a cell
COUNTED = 26  # width of a cell from which it shows its count
LETTERS = 24  # of a name
SMALL = 15  # greatest size of letters
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue light (WCAG 2.2, "relative luminance")


def draw_confusion_matrix(
    counts: Tensor, totals: Tensor, names: Mapping[int, str], *, title: str, subtitle: str
) -> Image.Image:
    """Draw (M, M) pictures of the i-th class predicted as the j-th, and (M,) pictures of each class.

    `names` are the M classes' by their numbers. A cell is the brighter, the larger its share of its row's
    pictures: blue for correct predictions, orange for errors; the last column is the recall.
    """
    cell = min(max(WIDE // len(names), CELL[0]), CELL[1])
    letters = min(SMALL, cell - 2)
    shown = [fit_line(readable_name(name, number), LETTERS) for number, name in names.items()]
    longest = int(0.65 * letters * max(map(len, shown))) + 20  # of a name, about

    def draw(figure: "Figure") -> None:
        reading = "blue: correct, orange: errors; the brighter, the larger the share of the row"
        add_heading(figure, title, subtitle, reading)
        axes = figure.add_subplot()
        axes.imshow(colour_cells(counts, totals).numpy(), interpolation="nearest")
        axes.set_xticks(range(len(shown)), shown, rotation=90, fontsize=letters)
        axes.set_yticks(range(len(shown)), shown, fontsize=letters)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        edges = [place - 0.5 for place in range(len(shown) + 1)]
        axes.vlines(edges, -0.5, len(shown) - 0.5, color=rgb(DARK), linewidth=1)
        axes.hlines(edges, -0.5, len(shown) - 0.5, color=rgb(DARK), linewidth=1)
        if cell >= COUNTED:
            write_counts(axes, counts, totals, cell)
        write_recall(axes, counts.diagonal(), totals, letters)

    side = cell * len(names) + longest
    return render(draw, max(side + 150, LEAST), side + 160)


def colour_cells(counts: Tensor, totals: Tensor) -> Tensor:
    """Colour the cells: (M, M) pictures, (M,) pictures of each class -> (M, M, 3) uint8."""
    shares = (counts / totals.clamp(min=1)[:, None]).tolist()
    cells = [
        [blend(OTHER if i == j else ACCENT, share) if counts[i, j] else DARKER for j, share in enumerate(row)]
        for i, row in enumerate(shares)
    ]
    return torch.tensor(cells, dtype=torch.uint8)


def write_counts(axes: "Axes", counts: Tensor, totals: Tensor, cell: int) -> None:
    """Write the number of pictures into every cell that holds some and has room."""
    cells = colour_cells(counts, totals)
    for row, column in counts.nonzero().tolist():
        text = f"{int(counts[row, column])}"
        size = min(SMALL, cell - 10, int(cell / (0.7 * len(text))))
        if size > 6:
            ink = ink_on(tuple(cells[row, column].tolist()))
            axes.text(column, row, text, color=rgb(ink), fontsize=size, ha="center", va="center")


def ink_on(ground: Colour) -> Colour:
    """Return the colour of a number on a cell: dark or white, that with the larger contrast."""
    return max(DARKER, WHITE, key=lambda ink: contrast_of(ink, ground))


def contrast_of(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    dark, bright = sorted(map(luminance_of, (one, other)))
    return (bright + 0.05) / (dark + 0.05)


def luminance_of(colour: Colour) -> float:
    """Return the light of an sRGB colour, a share of white's in [0, 1]."""
    light = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    return sum(weight * part for weight, part in zip(LUMINANCE, light, strict=True))


def write_recall(axes: "Axes", correct: Tensor, totals: Tensor, letters: int) -> None:
    """Write the recall beside each row; a dash for a class without pictures."""
    at = {"xytext": (8, 0), "textcoords": "offset points", "color": rgb(GREY), "fontsize": letters}
    side = axes.get_yaxis_transform()
    for row, (right, total) in enumerate(zip(correct.tolist(), totals.tolist(), strict=True)):
        text = f"{right / total:.1%}" if total else "-"
        axes.annotate(text, (1, row), xycoords=side, va="center", **at)
    axes.annotate("recall", (1, 1), xycoords="axes fraction", va="bottom", **{**at, "xytext": (8, 8)})


def blend(colour: Colour, share: float) -> Colour:
    """Return a colour from the dark ground to `colour`; the root makes few pictures visible."""
    strength = 0.05 + 0.95 * min(1.0, share) ** 0.5
    red, green, blue = (
        round(dark + (bright - dark) * strength) for dark, bright in zip(DARKER, colour, strict=True)
    )
    return red, green, blue
