"""`swinkit data check PATH`: what is in a data set, and what is wrong with it, before anything is trained."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from ..data.check import Report, readings, report_on, span, splits_of
from ..errors import DataError, EnvironmentProblem, UsageError, listed
from ..models.catalogue import did_you_mean
from ..viz.data_page import page
from .arguments import parse, parser
from .console import block, note, progress
from .table import table

ACTIONS = ["check"]
SHOWN = 3  # pictures of each problem
SHOWN_CLASSES = 30


def command(arguments: Sequence[str]) -> int:
    """Run one of the actions; the code is 3 if what was found would stop a training."""
    words = list(arguments)
    helped = {"--help", "-h"} & set(words)
    if words and words[0] in ACTIONS:
        words.pop(0)
    elif not helped:
        wrong = f"unknown action {words[0]!r}{did_you_mean(words[0], ACTIONS)}" if words else "say what to do"
        raise UsageError(f"{wrong}; for example `swinkit data check PATH`")
    reader = parser("data check", "Read every picture of a data set and tell what is wrong with it.")
    reader.add_argument("path", type=Path, help="folder or zip of SPLIT/CLASS/picture, lists, or shards")
    reader.add_argument("--html", type=Path, help="write a page with pictures to this file")
    reader.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    reader.add_argument(
        "--workers", type=int, default=len(os.sched_getaffinity(0)) - 1, help="processes that read"
    )
    options = parse(reader, words, assignments=True)
    if options.workers < 0:
        raise UsageError(f"workers is {options.workers}; it must be 0 or more")
    splits, problems = splits_of(options.path)
    found = []
    for samples in splits:
        with progress(samples.ids) as names:
            found += [reading for _, reading in zip(names, readings(samples, options.workers), strict=True)]
    report = report_on(options.path, splits, found, problems)
    if options.html:
        write_page(options.html, page(report, splits))
    block(json.dumps(report.to_json()) if options.json else shown(report))
    return DataError.exit_code if report.blocking else 0


def write_page(path: Path, text: str) -> None:
    """The page as a file.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be written: {error.strerror or error}") from None
    note(f"wrote {path}")


def shown(report: Report) -> str:
    """The report for people."""
    parts = [f"{report.path}: {report.layout}, told by {report.evidence}", split_table(report)]
    parts.append(class_table(report))
    for problem in report.problems:
        examples = [name for group in problem.groups for name in group]
        text = f"{'BLOCKING' if problem.blocking else 'note'}  {problem.kind}: {problem.message}"
        parts.append(text + (f": {listed(examples, SHOWN)}" if examples else ""))
    if not report.problems:
        parts.append("no problems found")
    return "\n".join(parts)


def split_table(report: Report) -> str:
    """A row for each split."""
    rows = []
    for split, counts in report.counts.items():
        sides = span(report.sizes[split])
        ranges = [
            f"{low} / {middle:g} / {high}" for low, middle, high in (sides.values() if sides else [])
        ] or ["-", "-"]
        rows.append([split, str(sum(counts.values())), str(len(counts)), *ranges])
    head = ["split", "pictures", "classes", "height: least / median / most", "width"]
    return table(head, rows, right=("pictures", "classes"))


def class_table(report: Report) -> str:
    """A row for each class, of the first so many."""
    classes = sorted({name for counts in report.counts.values() for name in counts})
    rows = [
        [name, *(str(counts.get(name, 0)) for counts in report.counts.values())]
        for name in classes[:SHOWN_CLASSES]
    ]
    more = len(classes) - SHOWN_CLASSES
    text = table(["class", *report.counts], rows, right=tuple(report.counts))
    return text + (f"\n... and {more} more classes; --json has all" if more > 0 else "")
