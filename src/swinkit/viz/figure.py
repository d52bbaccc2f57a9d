"""Figures by matplotlib in the colours of the other pictures. No other file imports matplotlib.

The figures are drawn through matplotlib's object interface, so that pyplot's global state and the user's own
settings stay as they are. Lengths in pixels of the picture, sizes of letters too.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import EnvironmentProblem
from .overlays import DARK, DARKER, GREY, TRACK, WHITE
from .text import to_ascii

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

DPI = 72  # so that a point, in which matplotlib measures letters and lines, is a pixel
INSTALL = 'matplotlib is not installed; pip install "swinkit[plot]"'
Colour = tuple[int, int, int]


def rgb(colour: Colour) -> tuple[float, float, float]:
    """Return a colour as matplotlib writes it: 0 to 255 -> 0 to 1."""
    red, green, blue = (part / 255 for part in colour)
    return red, green, blue


STYLE = {
    "figure.facecolor": rgb(DARKER),
    "axes.facecolor": rgb(DARK),
    "axes.edgecolor": rgb(TRACK),
    "axes.labelcolor": rgb(GREY),
    "axes.titlecolor": rgb(WHITE),
    "axes.titlesize": 17,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": rgb(TRACK),
    "text.color": rgb(WHITE),
    "text.parse_math": False,  # because names of classes and folders may hold dollar signs
    "xtick.color": rgb(GREY),
    "ytick.color": rgb(GREY),
    "figure.constrained_layout.w_pad": 0.12,  # inches
    "figure.constrained_layout.h_pad": 0.12,
    "legend.frameon": False,
    "legend.labelcolor": rgb(GREY),
    "font.size": 15,
}


def has_matplotlib() -> bool:
    """Return True if matplotlib is installed."""
    return find_spec("matplotlib") is not None


@cache
def can_draw(name: str) -> bool:
    """Return True if matplotlib is installed; otherwise log once that the picture `name` is not drawn."""
    if has_matplotlib():
        return True
    logger.warning("%s is not drawn: %s", name, INSTALL)
    return False


def render(draw: "Callable[[Figure], None]", width: int, height: int) -> Image.Image:
    """Let `draw` fill a figure of `width` times `height` pixels; return it as an RGB picture.

    Raises:
        EnvironmentProblem: matplotlib is not installed.
    """
    if not has_matplotlib():
        raise EnvironmentProblem(INSTALL)
    with silence_matplotlib():
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    with style.context(["default", STYLE]):
        figure = Figure((width / DPI, height / DPI), DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
    return Image.frombytes("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba())).convert("RGB")


def add_heading(figure: "Figure", title: str, *lines: str) -> None:
    """Write a title and smaller lines below it, at the left."""
    heading = {"x": 0.01, "ha": "left"}
    figure.suptitle("\n".join(fit_line(line, 150) for line in (title, *lines)), fontsize=18, **heading)


def fit_line(text: str, length: int) -> str:
    """Return `text` in one line of at most `length` letters that every font has."""
    text = to_ascii(" ".join(text.split()))
    return text if len(text) <= length else f"{text[: length - 3]}..."


@contextmanager
def silence_matplotlib() -> Iterator[None]:
    """Hide matplotlib's messages at its first import, such as about a cache of fonts."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
