"""A record as pictures: how much faster or slower each candidate is, and how time and memory grow.

Lengths in pixels of the picture.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

from ..viz.curves import CAPTION, FINE, GAP, PANEL, ROOM, TICK, dot, stroke
from ..viz.overlays import ACCENT, DARK, DARKER, GREY, MARGIN, OTHER, SMALL, TITLE, TRACK, WHITE
from ..viz.text import font, shorten
from .candidates import CANDIDATES, OURS
from .record import Measured, Record, Result, growth
from .rows import GROW, VIT
from .spread import Ratio

WIDTH, NAMES, VALUES = 1080, 250, 150  # of the whole; of what stands left and right of the bars
BAR, STEP, TOP = 16, 28, 96  # height of a bar; from one to the next; of the title
FADED = (66, 86, 118)  # a peer that is not the fastest
LEFT, BOTTOM, RIGHT, HEAD = 100, 62, 40, 96  # around a plot of growth; its title
OURS_IN = (ACCENT, (255, 120, 90), (255, 90, 160), (240, 220, 130), (200, 160, 255))
COLOURS = dict(zip((*OURS, VIT), (*OURS_IN, OTHER), strict=True))


def ratios(record: Record) -> Image.Image | None:
    """For each row a bar for each candidate, as long as it is fast; the line at 1 is the fastest peer.

    None if there is nothing to compare.
    """
    rows = [each for each in record.rows if each.row.work != GROW and each.fastest_peer is not None]
    if not rows:
        return None
    heights = [STEP * sum(result.counts for result in each.results) + 2 * STEP for each in rows]
    canvas = Image.new("RGB", (WIDTH, TOP + sum(heights) + GAP), DARKER)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, 18), "Speed, the fastest peer being 1", WHITE, font(TITLE))
    where = record.machine["gpu"] or f"{record.machine['processor']}, {record.machine['threads']} threads"
    draw.text((MARGIN, 54), shorten(where, font(SMALL), WIDTH - 2 * MARGIN), GREY, font(SMALL))
    most = max(1.0, *(ratio.high for each in rows for _, ratio in compared(each)))
    top = TOP
    for each, height in zip(rows, heights, strict=True):
        draw_row(draw, each, top, most)
        top += height
    return canvas


def compared(measured: Measured) -> Iterator[tuple[Result, Ratio]]:
    """The candidates of a row that have a ratio."""
    for result in measured.results:
        ratio = measured.ratio(result)
        if ratio is not None:
            yield result, ratio


def draw_row(draw: ImageDraw.ImageDraw, measured: Measured, top: int, most: float) -> None:
    """The title of a row, its bars with their intervals, and the line at 1."""
    draw.text((MARGIN, top), measured.row.title, WHITE, font(SMALL))
    scale = (WIDTH - NAMES - VALUES) / most
    pairs, first = list(compared(measured)), top + STEP + 6
    for i, (result, ratio) in enumerate(pairs):
        y = first + i * STEP
        best = result is measured.fastest_peer
        colour = ACCENT if CANDIDATES[result.candidate].ours else OTHER if best else FADED
        middle = y + BAR / 2
        draw.text((NAMES - 14, middle), result.candidate, GREY, font(TICK), "rm")
        draw.rectangle((NAMES, y, NAMES + scale * ratio.middle, y + BAR), colour)
        draw.line((NAMES + scale * ratio.low, middle, NAMES + scale * ratio.high, middle), WHITE, 2)
    one = NAMES + scale
    draw.line((one, first - 6, one, first + len(pairs) * STEP - 6), WHITE, 1)
    for i, (result, ratio) in enumerate(pairs):
        tie = " tie" if ratio.verdict == "tie" and result is not measured.fastest_peer else ""
        place = NAMES + scale * max(ratio.middle, ratio.high) + 10, first + i * STEP + BAR / 2
        draw.text(  # which may meet the line
            place, f"{ratio.middle:.2f}{tie}", WHITE, font(TICK), "lm", stroke_width=4, stroke_fill=DARKER
        )


@dataclass(frozen=True)
class Plot:
    """From two numbers that grow by factors to the pixels of a plot, `FINE` times as large as it will be."""

    most_pixels: float  # times the smallest picture's
    most: float  # times what that needs

    @property
    def size(self) -> tuple[int, int]:
        """In pixels."""
        return FINE * (PANEL[0] - LEFT - RIGHT), FINE * (PANEL[1] - CAPTION - BOTTOM)

    def __call__(self, pixels: float, value: float) -> tuple[float, float]:
        """The place, from the upper left corner."""
        edge = FINE * ROOM
        width, height = (side - 2 * edge for side in self.size)
        return (
            edge + width * math.log(pixels) / math.log(self.most_pixels),
            edge + height * (1 - math.log(max(1.0, value)) / math.log(self.most)),
        )


def grown(record: Record) -> Image.Image | None:
    """Time and memory against the pixels of a picture, each as times that of the smallest, in logarithms.

    None if fewer than two sizes were measured.
    """
    found = {name: growth(record, name) for name in COLOURS}
    found = {name: pairs for name, pairs in found.items() if len(pairs) > 1}
    if not found:
        return None
    canvas = Image.new("RGB", (2 * PANEL[0] + 3 * GAP, HEAD + PANEL[1] + GAP), DARKER)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, 14), "What a larger picture costs, as times the smallest", WHITE, font(TITLE))
    left = float(MARGIN)
    for name in found:
        draw.text((left, 60), name, COLOURS[name], font(SMALL))
        left += font(SMALL).getlength(name) + MARGIN
    draw.text((left, 60), "grey: as the pixels, as their square", GREY, font(SMALL))
    for i, title in enumerate(("time", "memory")):
        series = {name: series_of(pairs, title) for name, pairs in found.items()}
        canvas.paste(panel(title, series, found), (GAP + i * (PANEL[0] + GAP), HEAD))
    return canvas


def series_of(pairs: Sequence[tuple[int, Result]], what: str) -> list[tuple[float, float]]:
    """Pixels and time, or pixels and memory, each as times the first."""
    values = [float(result.memory or 0) if what == "memory" else result.seconds.middle for _, result in pairs]
    return [
        (pixels / pairs[0][0], value / values[0] if values[0] else 1.0)
        for (pixels, _), value in zip(pairs, values, strict=True)
    ]


def panel(
    title: str,
    series: dict[str, list[tuple[float, float]]],
    found: dict[str, list[tuple[int, Result]]],
) -> Image.Image:
    """One plot with its axes."""
    canvas = Image.new("RGB", PANEL, DARK)
    draw = ImageDraw.Draw(canvas)
    draw.text((LEFT, 18), title, GREY, font(SMALL))
    widest = max((points[-1][0] for points in series.values()), default=2.0)
    plot = Plot(widest, max(2.0, widest, *(value for points in series.values() for _, value in points)))
    canvas.paste(lines(series, plot), (LEFT, CAPTION))
    for value in powers(plot.most):
        draw.text((LEFT - 12, CAPTION + plot(1, value)[1] / FINE), f"{value:,}", GREY, font(TICK), "rm")
    longest = max(found.values(), key=len)
    for pixels, _ in longest:
        across = LEFT + plot(pixels / longest[0][0], 1)[0] / FINE
        draw.text((across, PANEL[1] - BOTTOM + 8), f"{pixels**0.5:.0f}", GREY, font(TICK), "ma")
    draw.text((PANEL[0] - RIGHT, PANEL[1] - 26), "pixels, a side", GREY, font(TICK), "ra")
    return canvas


def lines(series: dict[str, list[tuple[float, float]]], plot: Plot) -> Image.Image:
    """What lies between the axes."""
    width, height = plot.size
    canvas = Image.new("RGB", (width, height), DARK)
    draw = ImageDraw.Draw(canvas)
    for value in powers(plot.most):
        level = plot(1, value)[1]
        draw.line((0, level, width, level), TRACK, FINE)
    for power in (1, 2):
        end = min(plot.most_pixels, plot.most ** (1 / power))
        draw.line((*plot(1, 1), *plot(end, end**power)), GREY, FINE)
    for name, points in series.items():
        places = [plot(*point) for point in points]
        for both in pairwise(places):
            stroke(draw, both, COLOURS[name], 2 * FINE + 1)
        for place in places:
            dot(draw, place, 4 * FINE, COLOURS[name])
    return canvas.resize((width // FINE, height // FINE), Image.Resampling.BOX)


def powers(most: float) -> list[int]:
    """The powers of ten from 1 to `most`, or of two where that is little."""
    base = 10 if most > 30 else 2
    return [base**i for i in range(int(math.log(most, base) + 1e-9) + 1)]
