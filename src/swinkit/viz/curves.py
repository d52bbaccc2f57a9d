"""Training curves: a panel for each number, all over the same epochs or iterations.

Takes plain numbers. Lengths in pixels of the picture.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from PIL import Image

from .figure import add_heading, render, rgb
from .overlays import ACCENT, GREY, OTHER, WHITE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (620, 400)
HEAD = 130  # height of the heading and the legend
OUTLIERS = 0.02  # share of faint values that may lie outside at either end
FEW = 4  # faint values; of more, at least one may lie outside
LARGEST = 1e100  # matplotlib cannot place larger numbers
FAINT = (88, 104, 130)
BROKEN = (222, 92, 92)

Point = tuple[float, float]  # epochs or iterations done, value


@dataclass(frozen=True)
class Curve:
    """A panel: values, which may be NaN or infinite, in the order of training.

    `behind` are those of single steps, drawn faintly; `beside` those of the validation split.
    """

    name: str
    points: Sequence[Point]
    behind: Sequence[Point] = ()
    beside: Sequence[Point] = ()


def draw_curves(
    panels: Sequence[Curve],
    *,
    title: str,
    subtitle: str = "",
    unit: str = "epoch",
    best: float | None = None,
    resumed: Sequence[float] = (),
) -> Image.Image:
    """Draw panels beside and below each other, over epochs or another `unit`.

    A dot marks the place `best`, red strokes what is not finite, grey ones where the run was `resumed`.
    """
    columns = 2 if len(panels) in (2, 4) else min(3, len(panels))
    rows = -(-len(panels) // columns)
    epochs = [epoch for curve in panels for epoch, _ in (*curve.points, *curve.behind, *curve.beside)]
    last = max([1.0, *epochs, *resumed])

    def draw(figure: "Figure") -> None:
        add_heading(figure, title, subtitle)
        every = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, curve in zip(every, panels, strict=False):
            draw_curve(axes, curve, last, best, resumed)
            axes.set_xlabel(f"{unit}s")
        for axes in every[len(panels) :]:
            axes.set_visible(False)
        labelled = {}
        for axes in figure.axes:
            handles, names = axes.get_legend_handles_labels()
            labelled |= dict(zip(names, handles, strict=True))
        if labelled:
            figure.legend(
                list(labelled.values()), list(labelled), loc="outside lower center", ncols=len(labelled)
            )

    return render(draw, columns * PANEL[0], HEAD + rows * PANEL[1])


def draw_curve(axes: "Axes", curve: Curve, last: float, best: float | None, resumed: Sequence[float]) -> None:
    """Draw one curve with its name, its latest values and its axes."""
    least, most = value_range(curve)
    margin = 0.05 * (most - least)
    axes.set(xlim=(0, last * 1.02), ylim=(least - margin, most + margin))
    axes.set_title(curve.name)
    axes.set_title(latest_values(curve), loc="right", color=rgb(GREY))
    axes.locator_params(axis="x", integer=True)
    axes.yaxis.set_major_formatter("{x:g}")
    kinds = (
        (curve.behind, FAINT, 1.0, "single steps"),
        (curve.beside, OTHER, 2.5, "validation"),
        (curve.points, ACCENT, 2.5, "training" if curve.beside else None),
    )
    for points, colour, width, label in kinds:
        draw_line(axes, points, colour, width, label)
    draw_strokes(axes, resumed, GREY, "resumed")
    values = (*curve.points, *curve.beside)
    draw_strokes(axes, [epoch for epoch, value in values if not is_drawable(value)], BROKEN, "not finite")
    for epoch, value in curve.beside or curve.points:  # validation decides which is best
        if epoch == best and is_drawable(value):
            axes.plot(epoch, value, "o", color=rgb(WHITE), markersize=10, linestyle="", label="best")


def draw_line(
    axes: "Axes", points: Sequence[Point], colour: tuple[int, int, int], width: float, label: str | None
) -> None:
    """Draw a line that breaks where a value is not finite; a point without neighbours is a dot."""
    for part in finite_parts(points):
        marker = "o" if len(part) == 1 else None
        axes.plot(*zip(*part, strict=True), color=rgb(colour), linewidth=width, marker=marker, label=label)


def draw_strokes(axes: "Axes", epochs: Sequence[float], colour: tuple[int, int, int], label: str) -> None:
    """Draw short strokes at the lower edge."""
    if epochs:
        edge = axes.get_xaxis_transform()
        axes.vlines(epochs, 0, 0.05, transform=edge, color=rgb(colour), linewidth=3, label=label)


def latest_values(curve: Curve) -> str:
    """Return the latest values."""
    series = [("", curve.points)]
    if curve.beside:
        series = [("training ", curve.points), ("validation ", curve.beside)]
    return "   ".join(f"{name}{points[-1][1]:.4g}" for name, points in series if points)


def is_drawable(value: float) -> bool:
    """Return True for a number that can be drawn."""
    return abs(value) < LARGEST


def finite_parts(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Split the points where a value is not finite."""
    for finite, part in groupby(points, lambda point: is_drawable(point[1])):
        if finite:
            yield list(part)


def value_range(curve: Curve) -> tuple[float, float]:
    """Return the least and greatest value of the panel: of all, but only nearly all of those behind."""
    values = [value for _, value in (*curve.points, *curve.beside) if is_drawable(value)]
    behind = sorted(value for _, value in curve.behind if is_drawable(value))
    if behind:
        cut = max(int(OUTLIERS * len(behind)), len(behind) > FEW)
        values += (behind[cut], behind[-1 - cut])
    return widen_range(values)


def widen_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and greatest of these, never equal; shares stay in [0, 1]."""
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    if least < most:
        return least, most
    air = abs(most) * 0.1 or 1.0
    return (max(0.0, least - air), min(1.0, most + air)) if 0 <= least <= 1 else (least - air, most + air)
