"""Writer of docs/performance.md from the records of runs: `python -m benchmarks.peers.page [FOLDER...]`.

Each FOLDER is one that `python -m benchmarks.peers` has filled. Its record and plots are copied into
docs/performance/, one of a CPU and one of a GPU. Without a folder the page is written again from those.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from . import report
from .cases import GROWTH
from .record import FILE, CaseRecord, Record

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
STORED = ROOT / "docs" / "performance"
MARK = "<!-- From here on written by `python -m benchmarks.peers.page`. -->\n"
TITLES = {"cpu": "On a processor", "cuda": "On a GPU"}
PLOTS = {
    "ratios.png": "Speed-up of each candidate over the fastest peer",
    "growth.png": "Time and memory as pictures grow",
}


def page(stored: Path = STORED) -> str:
    """Return the page: the part that people wrote, and the stored runs, or that nothing was measured."""
    parts = [PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK]
    for device, title in TITLES.items():
        folder = stored / device
        parts += [f"## {title}", *(section(folder) if (folder / FILE).is_file() else ["Not measured."])]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def section(folder: Path) -> Iterator[str]:
    """Yield the parts of a run: the machine, the plots, every case."""
    record = Record.read(folder / FILE)
    yield f"By `{record.command}` on {record.date[:10]}{report.duration(record)}:"
    yield "\n".join(f"* {line}" for line in report.machine_lines(record))
    for name, words in PLOTS.items():
        if (folder / name).is_file():
            yield f"![{words}](performance/{folder.name}/{name})"
    for case in record.cases:
        if case.case.workload != GROWTH:
            yield from case_section(case, record.roofline["products"])
    rows = report.growth_rows(record)
    if rows:
        yield "### Growth: swin-t and ViT-B/16, batch 1"
        yield report.markdown_table(report.GROWTH_HEAD, rows, report.GROWTH_HEAD[1:])


def case_section(record: CaseRecord, peak: float) -> Iterator[str]:
    """Yield the parts of a case: title, table, reasons and verdicts."""
    yield f"### {record.case.title}"
    lines = [report.cells(record, result, peak) for result in record.results if result.is_valid]
    if lines:
        yield report.markdown_table(report.HEAD, lines, report.NUMBERS)
    if report.reasons(record):
        yield "\n".join(f"* {reason}" for reason in report.reasons(record))
    if report.verdicts(record):
        yield "\n".join(f"* {line}." for line in report.verdicts(record))


def store(folder: Path, stored: Path = STORED) -> None:
    """Copy a run's record and plots in place of an earlier run's on such a device."""
    target = stored / Record.read(folder / FILE).machine["device"]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (FILE, *PLOTS):
        if (folder / name).is_file():
            shutil.copy(folder / name, target / name)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        store(Path(each))
    PAGE.write_text(page(), encoding="utf-8")
