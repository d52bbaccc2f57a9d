"""Figures by matplotlib in the colours of the other pictures. No other file imports matplotlib.

The figures are drawn through matplotlib's object interface, so that pyplot's global state and the user's own
settings stay as they are. Lengths in pixels of the picture.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import EnvironmentProblem
from .overlays import DARK, DARKER, GREY, TRACK, WHITE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
INSTALL = 'matplotlib is not installed; pip install "swinkit[plot]"'
Colour = tuple[int, int, int]


def has_matplotlib() -> bool:
    """Return True if matplotlib is installed."""
    return find_spec("matplotlib") is not None


def unit(colour: Colour) -> tuple[float, float, float]:
    """Return a colour as matplotlib writes it: 0 to 255 -> 0 to 1."""
    red, green, blue = (part / 255 for part in colour)
    return red, green, blue


STYLE = {
    "figure.facecolor": unit(DARKER),
    "axes.facecolor": unit(DARK),
    "axes.edgecolor": unit(TRACK),
    "axes.labelcolor": unit(GREY),
    "axes.titlecolor": unit(WHITE),
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": unit(TRACK),
    "text.color": unit(WHITE),
    "text.parse_math": False,  # because names of classes and folders may hold dollar signs
    "xtick.color": unit(GREY),
    "ytick.color": unit(GREY),
    "legend.frameon": False,
    "legend.labelcolor": unit(GREY),
    "font.size": 12,
}


def render(draw: "Callable[[Figure], None]", width: int, height: int) -> Image.Image:
    """Let `draw` fill a figure of `width` times `height` pixels; return it as an RGB picture.

    Raises:
        EnvironmentProblem: matplotlib is not installed.
    """
    if not has_matplotlib():
        raise EnvironmentProblem(INSTALL)
    with silent_import():
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    with style.context(["default", STYLE]):
        figure = Figure((width / DPI, height / DPI), DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
    return Image.frombytes("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba())).convert("RGB")


@contextmanager
def silent_import() -> Iterator[None]:
    """Hide what matplotlib logs when it is first imported, such as that it builds a cache of fonts."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
