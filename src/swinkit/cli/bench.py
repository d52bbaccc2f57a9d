"""`swinkit bench`: our models and those of other libraries, measured side by side. Imports no torch."""

import signal
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ..benchmarking.candidates import candidates_for, require_candidates
from ..benchmarking.judge import Patience, Terms, Told, measure
from ..benchmarking.machine import machine, versions
from ..benchmarking.process import CEILING, Failed, Process
from ..benchmarking.record import FILE, Measured, Record
from ..benchmarking.report import (
    GROWTH_HEAD,
    HEAD,
    LEGEND,
    NUMBERS,
    about,
    cells,
    growth_rows,
    reasons,
    took,
    verdicts,
)
from ..benchmarking.rows import require_rows, rows_for
from ..data.cache import root
from ..errors import EnvironmentProblem, UsageError
from .arguments import Parser, parse
from .console import INTERRUPTED, block, note
from .table import table
from .values import Value

QUICK, FULL = 12.0, 90.0  # seconds for the rounds of a row, once six are done
TERMINATED = 143  # the exit code after SIGTERM
LONGEST = 300.0  # seconds for the machine's ceilings
KEPT = "bench"  # the folder in our cache
DEVICES = ("cpu", "cuda")
DESCRIPTION = """Measure our models beside the same models of other libraries on this machine.

Each candidate has a process of its own, and all are measured in turn, over and over. What is not installed is
left out with a line that says so; `pip install "swinkit[bench]"` installs all."""


def command(arguments: Sequence[str]) -> int:
    """Measure, print a table for each row as it is done, and keep all in a folder."""
    parser = Parser("bench", DESCRIPTION)
    add_options(parser)
    options = parse(parser, arguments)
    if options.quick and options.full:
        raise UsageError("choose --quick or --full")
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"threads is {options.threads}; it must be 1 or more")
    require_candidates(options.peers)
    require_rows(options.rows, [options.device] if options.device else DEVICES)
    out = options.out or Path(f"bench-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    if (out / FILE).exists():
        raise UsageError(f"{out} holds the results of an earlier run; name another folder")
    given = {"threads": options.threads, "device": options.device}
    with working() as told, Process(CEILING, given, {}) as ceiling:
        told("measuring what the machine can do")
        record = begun(ceiling, " ".join(["swinkit bench", *arguments]))
        record.write(out / FILE)
        block("\n".join([*about(record), "", LEGEND]))
        try:
            with terminable():
                measure_rows(record, ceiling, options, out, told)
            code = 0
        except (KeyboardInterrupt, Terminated) as end:
            note("stopped; what was measured until then is kept")
            code = INTERRUPTED if isinstance(end, KeyboardInterrupt) else TERMINATED
    finish(record, out)
    return code


def add_options(parser: Parser) -> None:
    """What can be asked for."""
    add = parser.add_argument
    add("--quick", action="store_true", help="the most important rows, in under ten minutes (the default)")
    add("--full", action="store_true", help="all rows and all candidates, in about two hours")
    add(
        "--rows",
        type=Value(str),
        nargs="+",
        metavar="NAME",
        help="only these, such as swin-t-224-b1, or those whose names begin so, such as growth",
    )
    add(
        "--peers",
        type=Value(str),
        nargs="+",
        metavar="NAME",
        help="of the candidates beside swinkit, only these",
    )
    add(
        "--device",
        type=Value(Literal["cpu", "cuda"]),
        metavar="{cpu,cuda}",
        help="cpu or cuda; a GPU if there is one",
    )
    add("--threads", type=Value(int), metavar="N", help="of the processor; else as many as PyTorch takes")
    add(
        "--out",
        type=Value(Path),
        metavar="FOLDER",
        help="for bench.json and the pictures; else bench-DATE-TIME",
    )


def begun(ceiling: Process, words: str) -> Record:
    """A record without rows yet: the machine and its ceilings.

    Raises:
        EnvironmentProblem: PyTorch cannot compute there.
    """
    try:
        facts, rates = ceiling.hear(LONGEST), ceiling.ask({}, LONGEST)
    except Failed as failure:
        raise EnvironmentProblem(f"the machine cannot be measured: {failure}") from None
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(words, date, {**machine(), **facts}, versions(), rates)


def measure_rows(record: Record, ceiling: Process, options: Namespace, out: Path, told: Told) -> None:
    """Row by row; each is written and printed when it is done or stopped."""
    patience = Patience(FULL if options.full else QUICK)
    terms = Terms(record.machine["threads"], root() / KEPT, patience)
    quick, began = not options.full, time.monotonic()
    for row in rows_for(record.machine["device"], options.rows, quick=quick):
        each = Measured(row)
        record.rows.append(each)
        try:
            measure(each, candidates_for(row, options.peers, quick=quick), terms, told)
            with suppress(Failed):
                record.raise_ceiling(ceiling.ask({}, LONGEST))
        finally:
            record.seconds = time.monotonic() - began
            record.write(out / FILE)
            block(f"\n{shown(record, each)}")


def shown(record: Record, each: Measured) -> str:
    """A row's table, why some are not in it, and how ours did."""
    peak = record.ceiling["products"]
    lines = [cells(each, result, peak) for result in each.results if result.counts]
    parts = [f"{each.row.name}: {each.row.title}"]
    if lines:
        parts.append(table(HEAD, lines, right=NUMBERS))
    parts += reasons(each)
    parts += verdicts(each)
    return "\n".join(parts)


def finish(record: Record, out: Path) -> None:
    """The table of growth, if there is one, and the pictures."""
    from ..benchmarking.picture import grown, ratios

    rows = growth_rows(record)
    if rows:
        block(f"\n{table(GROWTH_HEAD, rows, right=GROWTH_HEAD[1:])}")
    for name, made in (("ratios.png", ratios(record)), ("growth.png", grown(record))):
        if made is not None:
            made.save(out / name)
    note(f"wrote {out}{took(record)}")


class Terminated(BaseException):
    """Somebody asked this process to end, as `timeout` or a queue does."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated`, so that processes are ended and what was measured is kept."""

    def end(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def working() -> Iterator[Told]:
    """A function that shows in one line of a terminal what is being done."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("", refresh_per_second=2) as status:
        yield status.update
