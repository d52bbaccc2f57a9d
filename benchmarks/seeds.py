"""Comparison of trainings over seeds, for hours or days: one after another, and none twice.

The same command resumes a stopped run. After each run the results so far are written anew, with the hours.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from swinkit.cli.console import line
from swinkit.cli.progress_bar import Meter
from swinkit.errors import SwinkitError
from swinkit.runs.folder import METRICS, RunFolder
from swinkit.settings.recipe import Recipe
from swinkit.training.job import Job
from swinkit.training.loop import train

INTERRUPTED = 130  # as shells have it

Curve = list[dict[str, float]]  # the rows of a run's `metrics.csv`, one for each epoch
Result = TypeVar("Result")


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all comparisons have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder or zip of train/CLASS/picture and test/CLASS/picture")
    parser.add_argument("out", type=Path, help="folder for everything that is made")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    return parser


def run_in_turn(
    seeds: int,
    names: Sequence[str],
    run: Callable[[str, int], Result],
    tell: Callable[[dict[str, list[Result]]], None],
) -> None:
    """Run all names with the first seed, then with the next; `tell` the results by name after each."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for seed in range(seeds):
        for name in names:
            results[name].append(run(name, seed))
            tell(results)


def train_to_end(job: Job, recipe: Recipe, folder: Path) -> Curve:
    """Train to the end, resuming from the run's folder, and return the curve."""
    line(f"{folder}:")
    with Meter() as meter:
        train(job, recipe, RunFolder(folder), reporting=meter.show)
    with (folder / METRICS).open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def run_command(work: Callable[[], str]) -> int:
    """Do the work of a command and print its result; return the exit code."""
    try:
        print(work().rstrip())
    except SwinkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        line("stopped; the same command goes on")
        return INTERRUPTED
    return 0


# ---- Report ----------------------------------------------------------------------------------------------


def hours(curves: Sequence[Curve]) -> str:
    """Return the time that the runs took, in words."""
    seconds = sum(curve[-1]["seconds"] for curve in curves if curve)
    runs = "run" if len(curves) == 1 else "runs"
    return f"{seconds / 3600:.2f} hours of training in {len(curves)} {runs}, evaluations left out."


def row(name: str, shares: Sequence[float]) -> tuple[str, str, str, str]:
    """Return a name, and in percent the mean of its shares, their spread, and each."""
    percent = [100 * share for share in shares]
    each = ", ".join(f"{value:.2f}" for value in percent)
    return name, f"{statistics.mean(percent):.2f}", spread(percent), each


def spread(values: Sequence[float]) -> str:
    """Return the sample standard deviation of two or more values."""
    return f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
