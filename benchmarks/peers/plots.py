"""The plots of a record: speed-ups by case, and time and memory against the number of pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from swinkit.viz.figure import render, rgb
from swinkit.viz.overlays import ACCENT, GREY, OTHER, WHITE
from swinkit.viz.text import font, shorten

from .candidates import CANDIDATES, OURS
from .cases import GROWTH, VIT
from .record import CaseRecord, Record, Result, growth

WIDTH, BAR, HEAD, FOOT = 1080, 26, 110, 60  # pixels: of the plot; of a bar's row; above and below all cases
SLOWER_PEER = (66, 86, 118)
COLOURS = dict(
    zip(
        (*OURS, VIT),
        (ACCENT, (213, 94, 0), (204, 121, 167), (240, 228, 66), (230, 230, 230), OTHER),
        strict=True,
    )
)


def save_plots(record: Record, folder: Path) -> None:
    """Draw `ratios.png` and `growth.png` into a folder, as far as there is something to draw."""
    for name, picture in (("ratios.png", speed_up_plot(record)), ("growth.png", growth_plot(record))):
        if picture is not None:
            picture.save(folder / name)


def speed_up_plot(record: Record) -> Image.Image | None:
    """Draw a bar for each candidate of each case; None if there is nothing to compare."""
    cases = [each for each in record.cases if each.case.workload != GROWTH and each.fastest_peer is not None]
    if not cases:
        return None
    counts = [sum(result.is_valid for result in each.results) for each in cases]

    def draw(figure: Any) -> None:
        place = record.machine["gpu"] or f"{record.machine['processor']}, {record.machine['threads']} threads"
        figure.suptitle(
            f"Speed-up over the fastest peer\n{shorten(place, font(16), WIDTH - 100)}", fontsize=16
        )
        panels = figure.subplots(
            len(cases), 1, sharex=True, squeeze=False, height_ratios=[n + 1.4 for n in counts]
        )
        for axes, each in zip(panels[:, 0], cases, strict=True):
            draw_bars(axes, each)
        panels[-1, 0].set_xlabel("times as fast as the fastest peer; lines: 95 % confidence intervals")

    return render(draw, WIDTH, HEAD + FOOT + sum(int(BAR * (n + 2.6)) for n in counts))


def draw_bars(axes: Any, record: CaseRecord) -> None:
    """Draw the bars of a case, their intervals and values, and a line at 1."""
    results = [(result, record.speed_up(result)) for result in record.results]
    pairs = [(result, ratio) for result, ratio in results if ratio is not None]
    axes.set_title(record.case.title)
    axes.axvline(1, color=rgb(WHITE), linewidth=1)
    for i, (result, ratio) in enumerate(pairs):
        is_fastest = result is record.fastest_peer
        colour = ACCENT if CANDIDATES[result.candidate].ours else OTHER if is_fastest else SLOWER_PEER
        axes.barh(i, ratio.median, height=0.66, color=rgb(colour))
        axes.plot((ratio.low, ratio.high), (i, i), color=rgb(WHITE), linewidth=1.5)
        text = f"{ratio.median:.2f}{' tie' if ratio.verdict == 'tie' and not is_fastest else ''}"
        place = (max(ratio.median, ratio.high), i)
        axes.annotate(text, place, xytext=(6, 0), textcoords="offset points", va="center", fontsize=11)
    axes.set_yticks(range(len(pairs)), [result.candidate for result, _ in pairs])
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.margins(x=0.1)


def growth_plot(record: Record) -> Image.Image | None:
    """Draw time and memory as multiples of the smallest picture's; None for fewer than two sizes."""
    found = {name: growth(record, name) for name in COLOURS}
    series = {name: pairs for name, pairs in found.items() if len(pairs) > 1}
    if not series:
        return None
    longest = max(series.values(), key=len)

    def draw(figure: Any) -> None:
        figure.suptitle("What a larger picture costs, as multiples of the smallest", fontsize=16)
        for axes, what in zip(figure.subplots(1, 2), ("time", "memory"), strict=True):
            axes.set(title=what, xscale="log", yscale="log", xlabel="side of the picture, pixels")
            axes.set_ylabel(f"{what} / {what} of the smallest picture")
            ends = [(pixels / longest[0][0]) for pixels, _ in (longest[0], longest[-1])]
            axes.plot(
                ends, ends, color=rgb(GREY), linewidth=1, linestyle="--", label="proportional to pixels"
            )
            squares = [each**2 for each in ends]
            axes.plot(ends, squares, color=rgb(GREY), linewidth=1, linestyle=":", label="to pixels squared")
            for name, pairs in series.items():
                axes.plot(*multiples(pairs, what), marker="o", color=rgb(COLOURS[name]), label=name)
            sides = [f"{pixels**0.5:.0f}" for pixels, _ in longest]
            axes.set_xticks([pixels / longest[0][0] for pixels, _ in longest], sides)
            axes.set_xticks([], minor=True)
            axes.set_ylim(
                top=max(max(multiples(pairs, each)[1]) for pairs in series.values() for each in LIMITS) * 1.5
            )
            axes.yaxis.set_major_formatter("{x:g}")
            axes.grid(visible=False, axis="x")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)

    return render(draw, WIDTH, 520)


LIMITS = ("time", "memory")


def multiples(pairs: Sequence[tuple[int, Result]], what: str) -> tuple[list[float], list[float]]:
    """Return pixels and time, or pixels and memory, as multiples of the first."""
    values = [float(result.memory or 0) if what == "memory" else result.seconds.median for _, result in pairs]
    return [pixels / pairs[0][0] for pixels, _ in pairs], [each / (values[0] or 1.0) for each in values]
