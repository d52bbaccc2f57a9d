"""`python -m benchmarks.peers`: our models and those of other libraries on this machine. Torch-free."""

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from swinkit.cli.bench import status_line
from swinkit.cli.console import table
from swinkit.data.paths import cache_root
from swinkit.errors import EnvironmentProblem, SwinkitError, UsageError

from . import report
from .candidates import candidates_for, require_candidates
from .cases import cases_for, require_cases
from .machine import machine, versions
from .process import ROOFLINE, Process, ProcessFailure
from .record import FILE, CaseRecord, Record
from .runner import Budget, Notify, Settings, measure

QUICK, FULL = 12.0, 90.0  # seconds for the rounds of a case after the first six
INTERRUPTED, TERMINATED = 130, 143  # exit codes after SIGINT and SIGTERM
ROOFLINE_LIMIT = 300.0  # seconds within which the roofline must be measured
CACHE = "bench"  # the folder in swinkit's cache
DEVICES = ("cpu", "cuda")
DESCRIPTION = """Compare our models with the same models of other libraries on this machine.

Each candidate runs in its own process, and all are measured in turn, over and over. A candidate that is not
installed is left out with a line that says so; `pip install ".[bench]"` installs all."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return 0 if done, 130 or 143 if interrupted or terminated, else an error's code."""
    try:
        return run(parse_options(arguments), arguments)
    except SwinkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse and check the options.

    Raises:
        UsageError: a case or candidate is unknown, or options exclude each other.
    """
    parser = argparse.ArgumentParser("python -m benchmarks.peers", description=DESCRIPTION)
    add = parser.add_argument
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="main cases, in under ten minutes (default)")
    length.add_argument("--full", action="store_true", help="all cases and candidates, in about two hours")
    add("--cases", nargs="+", metavar="NAME", help="names such as swin-t-224-b1, or prefixes such as growth")
    add("--peers", nargs="+", metavar="NAME", help="candidates to measure beside swinkit")
    add("--device", choices=DEVICES, help="default: a GPU if there is one")
    add("--threads", type=int, metavar="N", help="CPU threads; default: PyTorch's own choice")
    add("--out", type=Path, metavar="FOLDER", help="for bench.json and the plots; default: bench-DATE-TIME")
    options = parser.parse_args(arguments)
    if options.threads is not None and options.threads < 1:
        raise UsageError(f"threads is {options.threads}; it must be 1 or more")
    require_candidates(options.peers)
    require_cases(options.cases, [options.device] if options.device else DEVICES)
    options.out = options.out or Path(f"bench-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    if (options.out / FILE).exists():
        raise UsageError(f"{options.out} holds the results of an earlier run; name another folder")
    return options


def run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Measure, print a table for each case as it is done, and write everything into a folder."""
    request = {"threads": options.threads, "device": options.device}
    with status_line() as notify, Process(ROOFLINE, request, {}) as roofline:
        notify("measuring the machine's roofline")
        record = new_record(roofline, shlex.join(["python", "-m", "benchmarks.peers", *arguments]))
        record.write(options.out / FILE)
        print("\n".join([*report.machine_lines(record), "", report.LEGEND]), flush=True)
        try:
            with raise_on_sigterm():
                measure_cases(record, roofline, options, notify)
            code = 0
        except (KeyboardInterrupt, Termination) as end:
            print("stopped; what was measured until then is kept", file=sys.stderr)
            code = INTERRUPTED if isinstance(end, KeyboardInterrupt) else TERMINATED
    finish(record, options.out)
    return code


def new_record(roofline: Process, command: str) -> Record:
    """Return a record without cases: the machine and its roofline.

    Raises:
        EnvironmentProblem: PyTorch cannot compute there.
    """
    try:
        facts, rates = roofline.receive(ROOFLINE_LIMIT), roofline.ask({}, ROOFLINE_LIMIT)
    except ProcessFailure as failure:
        raise EnvironmentProblem(f"the machine cannot be measured: {failure}") from None
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(command, date, {**machine(), **facts}, versions(), rates)


def measure_cases(record: Record, roofline: Process, options: argparse.Namespace, notify: Notify) -> None:
    """Measure case by case; write and print each when it is done or stopped."""
    budget = Budget(FULL if options.full else QUICK)
    settings = Settings(record.machine["threads"], cache_root() / CACHE, budget)
    quick, start = not options.full, time.monotonic()
    for case in cases_for(record.machine["device"], options.cases, quick=quick):
        each = CaseRecord(case)
        record.cases.append(each)
        try:
            measure(each, candidates_for(case, options.peers, quick=quick), settings, notify)
            with suppress(ProcessFailure):
                record.raise_roofline(roofline.ask({}, ROOFLINE_LIMIT))
        finally:
            record.seconds = time.monotonic() - start
            record.write(options.out / FILE)
            print(f"\n{case_text(record, each)}", flush=True)


def case_text(record: Record, each: CaseRecord) -> str:
    """Return a case's table, the reasons why candidates are missing, and the verdicts."""
    lines = [
        report.cells(each, result, record.roofline["products"]) for result in each.results if result.is_valid
    ]
    parts = [f"{each.case.name}: {each.case.title}"]
    if lines:
        parts.append(table(report.HEAD, lines, right=report.NUMBERS))
    return "\n".join([*parts, *report.reasons(each), *report.verdicts(each)])


def finish(record: Record, out: Path) -> None:
    """Print the table of growth if there is one, and draw the plots."""
    from .plots import save_plots

    rows = report.growth_rows(record)
    if rows:
        print(f"\n{table(report.GROWTH_HEAD, rows, right=report.GROWTH_HEAD[1:])}")
    save_plots(record, out)
    print(f"wrote {out}{report.duration(record)}", file=sys.stderr)


class Termination(BaseException):
    """SIGTERM reached this process, as from `timeout` or a queue."""


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Raise `Termination` on SIGTERM, so that child processes are ended and results are kept."""

    def end(*_: object) -> None:
        raise Termination

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
