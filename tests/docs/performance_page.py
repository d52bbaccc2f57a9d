"""docs/performance.md, written from what was measured: `python -m tests.docs.performance_page [FOLDER...]`.

Each FOLDER is one that `swinkit bench` has filled; its record and pictures are taken into docs/performance/,
that of a processor and that of a GPU. Without one the page is written again from what lies there.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from swinkit.benchmarking.record import FILE, Measured, Record
from swinkit.benchmarking.report import (
    GROWTH_HEAD,
    HEAD,
    NUMBERS,
    about,
    cells,
    growth_rows,
    reasons,
    took,
    verdicts,
)
from swinkit.benchmarking.rows import GROW

from .markdown import ROOT

PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "performance"
MARK = "<!-- From here on written by `python -m tests.docs.performance_page`. -->\n"
TITLES = {"cpu": "On a processor", "cuda": "On a GPU"}
PICTURES = {
    "ratios.png": "Bars as long as each candidate is fast",
    "growth.png": "Time and memory as pictures grow",
}


def page(kept: Path = KEPT) -> str:
    """The page: what people wrote, up to the mark, and what was measured, or that nothing was."""
    parts = [PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK]
    for device, title in TITLES.items():
        folder = kept / device
        told = section(folder) if (folder / FILE).is_file() else ["Not measured."]
        parts += [f"## {title}", *told]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def section(folder: Path) -> Iterator[str]:
    """One run: the machine, the pictures, every row."""
    record = Record.read(folder / FILE)
    yield f"By `{record.command}` on {record.date[:10]}{took(record)}:"
    yield "\n".join(f"* {line}" for line in about(record))
    for name, words in PICTURES.items():
        if (folder / name).is_file():
            yield f"![{words}](performance/{folder.name}/{name})"
    for row in record.rows:
        if row.row.work != GROW:
            yield from row_of(row, record.ceiling["products"])
    grown = growth_rows(record)
    if grown:
        yield "### Growth: swin-t and ViT-B/16, batch 1"
        yield table(GROWTH_HEAD, grown, GROWTH_HEAD[1:])


def row_of(measured: Measured, peak: float) -> Iterator[str]:
    """Title, table, reasons and verdicts of a row."""
    yield f"### {measured.row.title}"
    lines = [cells(measured, result, peak) for result in measured.results if result.counts]
    if lines:
        yield table(HEAD, lines, NUMBERS)
    if reasons(measured):
        yield "\n".join(f"* {reason}" for reason in reasons(measured))
    if verdicts(measured):
        yield "\n".join(f"* {line}." for line in verdicts(measured))


def table(head: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    """Markdown; the columns `right` hold numbers."""
    marks = ["---:" if name in right else "---" for name in head]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *lines))


def take(folder: Path, kept: Path = KEPT) -> None:
    """A run's record and pictures, in place of an earlier run's on such a device."""
    goal = kept / Record.read(folder / FILE).machine["device"]
    shutil.rmtree(goal, ignore_errors=True)
    goal.mkdir(parents=True)
    for name in (FILE, *PICTURES):
        if (folder / name).is_file():
            shutil.copy(folder / name, goal / name)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        take(Path(each))
    PAGE.write_text(page(), encoding="utf-8")
