"""`swinkit data check PATH`: statistics and problems of a data set, before anything is trained."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..data.channels import Channels
from ..data.check import NO_CLASS, Report, find_splits, make_report
from ..data.scan import scan
from ..data.size_stats import ranges, shapes, sides
from ..errors import DataError, EnvironmentProblem, UsageError, listed
from ..models.catalogue import suggest
from ..viz.data_page import render_page
from ..zoo.hub_data import locate_data
from .arguments import Parser, Value, parse
from .console import block, note, progress, table

ACTIONS = ["check"]
SHOWN = 3  # examples of each problem
SHOWN_CLASSES = 30


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command(arguments: Sequence[str]) -> int:
    """Run an action; return exit code 3 if the data set has a problem that would stop a training."""
    words = list(arguments)
    helped = {"--help", "-h"} & set(words)
    if words and words[0] in ACTIONS:
        words.pop(0)
    elif not helped:
        wrong = f"unknown action {words[0]!r}{suggest(words[0], ACTIONS)}" if words else "say what to do"
        raise UsageError(f"{wrong}; for example `swinkit data check PATH`")
    parser = Parser("data check", "Read every picture of a data set and report what is wrong with it.")
    parser.add_argument(
        "path", help="folder or zip of SPLIT/CLASS/picture, lists, tables or shards; hf:org/name"
    )
    parser.add_argument(
        "--html", type=Value(Path), metavar="FILE", help="write a page with pictures to this file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument(
        "--workers",
        type=Value(int),
        metavar="N",
        default=cores() - 1,
        help="processes that read pictures",
    )
    for name, what in (("mean", "mean"), ("std", "standard deviation")):
        parser.add_argument(
            f"--data.{name}",
            type=Value(tuple[float, ...], length=3),
            metavar="[X,...]",
            dest=name,
            help=f"{what} of each channel, as for `swinkit pretrain`; checks what has no classes",
        )
    options = parse(parser, words, assignments=True)
    if options.workers < 0:
        raise UsageError(f"workers is {options.workers}; it must be 0 or more")
    path = locate_data(options.path)
    splits, problems = find_splits(path, channels_of(options.mean, options.std))
    found = []
    for samples in splits:
        with progress(samples.ids) as names:
            found += [reading for _, reading in zip(names, scan(samples, options.workers), strict=True)]
    report = make_report(path, splits, found, problems)
    if options.html:
        write_page(options.html, render_page(report, splits))
    block(json.dumps(report.to_json()) if options.json else report_text(report))
    return DataError.exit_code if report.blocking else 0


def channels_of(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> Channels | None:
    """Return the channels that a pre-training expects; None if they are not given.

    Raises:
        UsageError: one of the two is missing or wrong.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None or len(mean) != len(std) or min(std) <= 0:
        raise UsageError(
            f"data.mean is {mean} and data.std is {std}; both must be given, with as many numbers, those of "
            "data.std above 0"
        )
    return Channels(mean, std)


def write_page(path: Path, text: str) -> None:
    """Write the page to a file.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be written: {error.strerror or error}") from None
    note(f"wrote {path}")


def report_text(report: Report) -> str:
    """Return the report as lines of text."""
    parts = [f"{report.path}: {report.layout}, recognised by {report.evidence}", *split_table(report)]
    everything = [size for sizes in report.sizes.values() for size in sizes]
    for what, measure in (("shorter side, pixels", sides), ("width to height", shapes)):
        of_split = {split: measure(sizes) for split, sizes in report.sizes.items()}
        parts += count_table(what, measure(everything), of_split)
    modes = dict.fromkeys(mode for counts in report.modes.values() for mode in counts)
    parts += count_table("stored as", modes, report.modes)
    if any(report.turned.values()):
        told = ", ".join(f"{count} of {split}" for split, count in report.turned.items() if count)
        parts.append(f"turned upright as their EXIF data say: {told}")
    parts += class_table(report)
    for problem in report.problems:
        examples = [name for group in problem.groups for name in group]
        text = f"{'BLOCKING' if problem.blocking else 'note'}  {problem.kind}: {problem.message}"
        parts.append(text + (f": {listed(examples, SHOWN)}" if examples else ""))
    if not report.problems:
        parts.append("no problems found")
    return "\n".join(parts)


def split_table(report: Report) -> list[str]:
    """Return a table with a row for each split; like the tables below, nothing without rows."""
    rows = []
    for split, counts in report.counts.items():
        cells = [
            str(sum(counts.values())),
            str(len(counts.keys() - {NO_CLASS})),
            *ranges(report.sizes[split]),
        ]
        rows.append([split, *cells])
    head = ["split", "pictures", "classes", "height: least / median / most", "width"]
    return [table(head, rows, right=("pictures", "classes"))] if rows else []


def count_table(what: str, kinds: Iterable[str], of_split: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a table with a row for each kind, and a column for each split."""
    rows = [[kind, *(str(counts.get(kind, 0)) for counts in of_split.values())] for kind in kinds]
    return [table([what, *of_split], rows, right=tuple(of_split))] if rows else []


def class_table(report: Report) -> list[str]:
    """Return a table with a row for each of the first `SHOWN_CLASSES` classes."""
    classes = sorted({name for counts in report.counts.values() for name in counts} - {NO_CLASS})
    rows = [
        [name, *(str(counts.get(name, 0)) for counts in report.counts.values())]
        for name in classes[:SHOWN_CLASSES]
    ]
    if not rows:
        return []
    more = len(classes) - SHOWN_CLASSES
    rest = [f"... and {more} more classes; --json has all"] if more > 0 else []
    return [table(["class", *report.counts], rows, right=tuple(report.counts)), *rest]
