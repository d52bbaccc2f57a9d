"""Numbers that change over time as curves: one panel each, all of them over the same epochs.

Takes plain numbers. Lengths in pixels of the picture.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from PIL import Image, ImageDraw

from .overlays import ACCENT, DARK, DARKER, GREY, MARGIN, OTHER, SMALL, TITLE, TRACK, WHITE
from .text import font, shorten

PANEL = (620, 400)
HEAD = 84  # of the whole picture: title and subtitle
CAPTION = 56  # of a panel: its name, and its latest value
LEFT, BOTTOM, RIGHT = 92, 44, 28  # around the plot
ROOM = 12  # right of the last epoch, and above and below all values, for a dot that is there
GAP = 12
FINE = 3  # curves are drawn so many times larger, and so are smooth
TICK = 18  # size of the letters
TICKS = 5  # on an axis, about
OUTER, FEW = 0.02, 4  # share of the values behind, on either side, that may lie outside; at least one of more
FAINT = (62, 78, 104)
BROKEN = (222, 92, 92)

Point = tuple[float, float]  # epochs done, value


@dataclass(frozen=True)
class Curve:
    """Values that may be NaN or infinite, in the order of their epochs.

    `beside` are those of held-out pictures, in a colour of their own; `behind` is drawn faintly.
    """

    name: str
    points: Sequence[Point]
    behind: Sequence[Point] = ()
    beside: Sequence[Point] = ()


@dataclass(frozen=True)
class Axes:
    """From epochs and values to the pixels of a plot, `FINE` times as large as it will be."""

    last: float  # epoch; the first is 0
    least: float
    most: float
    size: tuple[int, int]

    def __call__(self, epoch: float, value: float) -> tuple[float, float]:
        """The place, in pixels from the upper left corner."""
        width, height = self.size
        share = (value - self.least) / (self.most - self.least)
        edge = FINE * ROOM
        return epoch / self.last * width, edge + (1 - share) * (height - 2 * edge)


def curves(
    shown: Sequence[Curve],
    *,
    title: str,
    subtitle: str = "",
    best: float | None = None,
    resumed: Sequence[float] = (),
) -> Image.Image:
    """Panels beside and below each other.

    A dot marks the epoch `best`, red strokes what is not finite, grey ones where the run was `resumed`.
    """
    columns = 2 if len(shown) in (2, 4) else min(3, len(shown))
    rows = -(-len(shown) // columns)
    size = (columns * (PANEL[0] + GAP) + GAP, HEAD + rows * (PANEL[1] + GAP))
    canvas = Image.new("RGB", size, DARKER)
    draw = ImageDraw.Draw(canvas)
    room = size[0] - 2 * MARGIN
    draw.text((MARGIN, 14), shorten(title, font(TITLE), room, keep_end=True), WHITE, font(TITLE))
    draw.text((MARGIN, 48), shorten(subtitle, font(SMALL), room), GREY, font(SMALL))
    last = max(
        (epoch for curve in shown for epoch, _ in (*curve.points, *curve.behind, *curve.beside)), default=1.0
    )
    for i, curve in enumerate(shown):
        place = (GAP + i % columns * (PANEL[0] + GAP), HEAD + i // columns * (PANEL[1] + GAP))
        canvas.paste(panel(curve, max(1.0, last), best, resumed), place)
    return canvas


def panel(curve: Curve, last: float, best: float | None, resumed: Sequence[float]) -> Image.Image:
    """One curve with its name, its latest value and its axes."""
    axes = axes_of(last, *span(curve))
    canvas = framed(plot(curve, axes, best, resumed), axes)
    caption(ImageDraw.Draw(canvas), curve, PANEL[0] - RIGHT)
    return canvas


def axes_of(last: float, least: float, most: float) -> Axes:
    """The axes of a panel."""
    width, height = PANEL[0] - RIGHT - LEFT, PANEL[1] - BOTTOM - CAPTION
    return Axes(last, least, most, (FINE * width, FINE * height))


def gridded(axes: Axes) -> Image.Image:
    """What lies between the axes of a panel, `FINE` times as large as it will be: so far a line a level."""
    canvas = Image.new("RGB", (axes.size[0] + FINE * ROOM, axes.size[1]), DARK)
    for value in ticks(axes.least, axes.most):
        level = axes(0, value)[1]
        ImageDraw.Draw(canvas).line((0, level, axes.size[0], level), TRACK, FINE)
    return canvas


def framed(plotted: Image.Image, axes: Axes) -> Image.Image:
    """The panel of what `gridded` began, with the levels beside and the epochs below."""
    canvas = Image.new("RGB", PANEL, DARK)
    draw = ImageDraw.Draw(canvas)
    small = (plotted.width // FINE, plotted.height // FINE)
    canvas.paste(plotted.resize(small, Image.Resampling.BOX), (LEFT, CAPTION))
    levels = ticks(axes.least, axes.most)
    for value, text in zip(levels, alike(levels), strict=True):
        height = CAPTION + axes(0, value)[1] / FINE
        draw.text((LEFT - 12, height), text, GREY, font(TICK), "rm")
    below = PANEL[1] - BOTTOM + 10
    for epoch in ticks(0, axes.last, whole=True):
        draw.text((LEFT + axes(epoch, axes.least)[0] / FINE, below), short(epoch), GREY, font(TICK), "ma")
    return canvas


def caption(draw: ImageDraw.ImageDraw, curve: Curve, right: int) -> None:
    """The name, and the latest values, of which those beside say what they are; `right` is where they end."""
    latest = [
        (points, colour) for points, colour in ((curve.beside, OTHER), (curve.points, ACCENT)) if points
    ]
    for points, colour in latest:
        text = short(points[-1][1])
        draw.text((right, 16), text, colour if curve.beside else WHITE, font(TITLE), "ra")
        right -= round(font(TITLE).getlength(text)) + 10
        if curve.beside:
            name = "held out" if points is curve.beside else "training"
            draw.text((right, 19), name, colour, font(TICK), "ra")
            right -= round(font(TICK).getlength(name)) + 24
    room = right - LEFT - 10
    draw.text((LEFT, 18), shorten(curve.name, font(SMALL), room), GREY, font(SMALL))


def plot(curve: Curve, axes: Axes, best: float | None, resumed: Sequence[float]) -> Image.Image:
    """What lies between the axes, `FINE` times as large."""
    canvas, height = gridded(axes), axes.size[1]
    draw = ImageDraw.Draw(canvas)
    for epoch in resumed:
        across = axes(epoch, 0)[0]
        draw.line((across, height - 14 * FINE, across, height), GREY, FINE)
    for part in finite_parts(curve.behind):
        stroke(draw, [axes(*point) for point in part], FAINT, FINE)
    for part in finite_parts(curve.beside):
        stroke(draw, [axes(*point) for point in part], OTHER, 2 * FINE + 1)
    for part in finite_parts(curve.points):
        stroke(draw, [axes(*point) for point in part], ACCENT, 2 * FINE + 1)
    for epoch, value in (*curve.points, *curve.beside):
        if not math.isfinite(value):
            across = axes(epoch, 0)[0]
            draw.line((across, height - 14 * FINE, across, height), BROKEN, 2 * FINE)
    for epoch, value in curve.beside or curve.points:  # held-out pictures tell which is the best
        if epoch == best and math.isfinite(value):
            dot(draw, axes(epoch, value), 6 * FINE, WHITE)
            dot(draw, axes(epoch, value), 4 * FINE, OTHER)
    return canvas


def stroke(
    draw: ImageDraw.ImageDraw, places: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: int
) -> None:
    """A line through all places; one place alone is a dot."""
    if len(places) > 1:
        draw.line(places, colour, width, "curve")
    for place in (places[0], places[-1]):  # round ends
        dot(draw, place, width if len(places) == 1 else width / 2, colour)


def dot(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, colour: tuple[int, int, int]
) -> None:
    """A filled circle."""
    (x, y) = place
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def finite_parts(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Points without a break; where a value is not finite, there is one."""
    for finite, part in groupby(points, lambda point: math.isfinite(point[1])):
        if finite:
            yield list(part)


def span(curve: Curve) -> tuple[float, float]:
    """Least and greatest value of the panel: of all, but only nearly all of those behind."""
    values = [value for _, value in (*curve.points, *curve.beside) if math.isfinite(value)]
    behind = sorted(value for _, value in curve.behind if math.isfinite(value))
    if behind:
        cut = max(int(OUTER * len(behind)), len(behind) > FEW)
        values += (behind[cut], behind[-1 - cut])
    return apart(values)


def apart(values: Sequence[float]) -> tuple[float, float]:
    """Least and greatest of these, never alike; shares stay in [0, 1]."""
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    if least < most:
        return least, most
    air = abs(most) * 0.1 or 1.0
    return (max(0.0, least - air), min(1.0, most + air)) if 0 <= least <= 1 else (least - air, most + air)


def ticks(least: float, most: float, *, whole: bool = False) -> list[float]:
    """Round numbers in between, about `TICKS` of them: multiples of 1, 2 or 5 times a power of ten."""
    rough = (most - least) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = steps[min(bisect_left(steps, rough), len(steps) - 1)]
    step = max(1.0, step) if whole else step
    return [i * step for i in range(math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9) + 1)]


def alike(values: Sequence[float]) -> list[str]:
    """The numbers of an axis in one notation, with as many digits each; 0 is 0."""
    sizes = [abs(value) for value in values if value]
    if sizes and (min(sizes) < 1e-3 or max(sizes) >= 1e5):
        return [short(value) if value == 0 else scientific(value) for value in values]
    digits = max((len(short(value).partition(".")[2]) for value in values), default=0)
    return [f"{value:.{digits}f}" if value else "0" for value in values]


def short(value: float) -> str:
    """0.00031416 -> 3.142e-4."""
    plain = abs(value) >= 1e-3 or value == 0 or not math.isfinite(value)
    text = f"{value:.4g}"
    return text if plain and "e" not in text else scientific(value)


def scientific(value: float) -> str:
    """0.001 -> 1e-3."""
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
