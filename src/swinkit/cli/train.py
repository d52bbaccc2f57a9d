"""`swinkit train RECIPE data=... out=...`: train by a recipe, any field of it overridden."""

import logging
import os
import shlex
from argparse import SUPPRESS, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, UsageError, require
from ..recipes import catalogue
from ..settings.recipe import Recipe
from ..type_check import expand_home
from .arguments import Parser, Value, parse, split_option
from .console import INTERRUPTED, block, line, unless_hung_up
from .launch import FAILED, RANK, launch, process_count, stop_with_launcher
from .recipe_options import add_fields, recipe_from
from .recipes import settings

DESCRIPTION = """Train by a recipe (`swinkit recipes` lists them), or go on with a run: `--resume RUN`.

DATA is a folder or zip with train/CLASS/picture and val/CLASS/picture, another layout of docs/data.md, or
hf:org/name; RUN the folder of the run, from which a stopped one goes on. Options may be given as
key=value."""

ALL = "--help-all"


@dataclass(frozen=True)
class Order:
    """A training as the command line describes it: recipe, data and run folder."""

    recipe: Recipe
    data: Path
    out: Path
    processes: int
    allow_changes: bool
    dry_run: bool = False


def command(arguments: Sequence[str]) -> int:
    """Train, show the progress, and say where the model is; return the exit code."""
    run, words = split_option("resume", "RUN", arguments)
    order = new_order(words) if run is None else resumed_order(expand_home(run), words)
    return carry_out(order, "train", arguments)


def carry_out(order: Order, verb: str, arguments: Sequence[str]) -> int:
    """Describe the training, train in several processes that each run `swinkit VERB`, or train here."""
    if order.dry_run:
        return describe(order)
    if order.processes > 1:
        return launch([verb, *split_option("processes", "N", arguments)[1]], order.processes)
    return train(order)


def describe(order: Order) -> int:
    """Do what the training would before its first step, and print what it would be; write nothing.

    Raises:
        DataError, UsageError, EnvironmentProblem: the training would fail before its first step.
    """
    import torch

    from .. import api
    from ..runs.folder import RunFolder
    from ..runs.logger import describe_end
    from ..runs.progress import Length
    from ..training.setup import rehearse
    from ..training.summary import describe_training

    recipe, ranks = order.recipe, max(order.processes, process_count())
    job = api.prepared(recipe, order.data, order.out)
    folder = RunFolder(order.out)
    with log_lines("swinkit.training", "swinkit.runs"):
        plan, loader, progress = rehearse(job, recipe, folder, ranks, allow_changes=order.allow_changes)
    length, begun = Length.of(recipe, plan.steps(loader)), progress.updates > 0
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = accelerator or torch.device("cpu")
    line(f"{job.title}: {length}")
    for text in describe_training(job, recipe, plan, loader, device, order.out, resumed=begun):
        line(text)
    if progress.ended:
        line(describe_end(progress, length))
    block(settings(recipe))
    line("dry run, nothing was written")
    return 0


def train(order: Order) -> int:
    """Train in this process, which may be one of several; the first of them prints."""
    from .. import api
    from ..runs.folder import BEST
    from ..tasks.registry import find_task_type
    from .progress_bar import Meter

    prints = os.environ.get(RANK, "0") == "0"
    try:
        stop_with_launcher()
        printed = log_lines("swinkit.training", "swinkit.runs", "swinkit.engine") if prints else nullcontext()
        with printed, Meter() if prints else nullcontext() as meter:
            reporting, changes = meter.show if meter else ignore, order.allow_changes
            api.train(order.recipe, order.data, order.out, allow_changes=changes, reporting=reporting)
    except (KeyboardInterrupt, SystemExit) as end:
        if prints and not (isinstance(end, SystemExit) and end.code in FAILED):
            with unless_hung_up():
                again = f"swinkit train --resume {shlex.quote(str(order.out))}"
                line(f"stopped; `{again}`, or the same command, goes on")
        if isinstance(end, KeyboardInterrupt):  # the line above is all there is to say
            return INTERRUPTED
        raise
    if prints:
        model = order.out / BEST
        task_type = find_task_type(order.recipe.task)
        line(f"saved {model}; {task_type.advise(order.recipe, shlex.quote(str(model)))}")
    return 0


def new_order(words: Sequence[str]) -> Order:
    """Parse `RECIPE data=... out=... field=value`.

    Raises:
        UsageError: an unknown recipe or option, a missing one, or a value that the recipe refuses.
    """
    named, *rest = words if words and not words[0].startswith("-") else (None, *words)
    if named is None and not {"--help", "-h", ALL} & set(words):
        raise UsageError("name a recipe first, such as cifar10-swin-pico; `swinkit recipes` lists all")
    recipe = catalogue.find(named or next(iter(catalogue.RECIPES)))
    parser = Parser(f"train {named or 'RECIPE'} data=DATA out=RUN", DESCRIPTION)
    resume = "go on with this run; RECIPE, data and out are its own"
    parser.add_argument("--resume", metavar="RUN", help=resume)
    return order_of(recipe, rest, parser)


def order_of(recipe: Recipe, words: Sequence[str], parser: Parser) -> Order:
    """Parse `data=... out=... field=value`, which change `recipe`.

    Raises:
        UsageError: an unknown option, a missing one, or a value that the recipe refuses.
    """
    parser.add_argument("--out", type=Value(Path), metavar="RUN", help=SUPPRESS)  # DESCRIPTION has it
    options = parsed(recipe, words, parser)
    if options.data is None:
        parser.error("data is missing; give data=PATH, a folder or zip of pictures")
    if options.out is None:
        parser.error("out is missing; give out=RUN, the folder of the run")
    return checked_order(recipe, options, options.data, options.out)


def resumed_order(run: Path, words: Sequence[str]) -> Order:
    """Parse the words beside `--resume RUN`, which change what the run recorded.

    Raises:
        UsageError: an unknown option, or a value that the recipe refuses.
        DataError: the folder holds no run.
    """
    from ..runs.config_diff import PLACE, RECIPE
    from ..runs.folder import recorded_config
    from ..tasks.registry import recipe_in

    config = recorded_config(run)
    recipe = recipe_in(config.get(RECIPE))
    options = parsed(recipe, words, Parser("train --resume RUN", DESCRIPTION))
    place = options.data or config.get(PLACE)
    if not isinstance(place, str | Path):
        raise DataError(f"{run}: config.json does not name the data; give data=PATH")
    return checked_order(recipe, options, Path(place), run)


def parsed(recipe: Recipe, words: Sequence[str], parser: Parser) -> Namespace:
    """Parse the options that beginning and resuming share, with those for the fields of `recipe`.

    Raises:
        UsageError: an option is unknown, or its value has the wrong type.
    """
    add = parser.add_argument
    add("--data", type=Value(Path), metavar="DATA", help=SUPPRESS)  # DESCRIPTION has it
    add(ALL, action="help", help="show every field, and leave; `swinkit recipes show` has values")
    add("--processes", type=Value(int), metavar="N", default=1, help="processes on this machine")
    changes = "go on with another recipe or other data than the run began with"
    add("--allow-changes", action="store_true", help=changes)
    dry = "say what would be trained, on what and how, and write nothing"
    add("-n", "--dry-run", action="store_true", help=dry)
    add_fields(parser, recipe, every=ALL in words)
    parser.usage = f"{parser.prog} [FIELD=VALUE ...]"
    return parse(parser, words, assignments=True)


def checked_order(recipe: Recipe, options: Namespace, data: Path, out: Path) -> Order:
    """Return the order of parsed options.

    Raises:
        UsageError: the values describe no training, or one that the processes cannot share.
    """
    require(options.processes >= 1, "processes", options.processes, "1 or more")
    how = (options.processes, options.allow_changes, options.dry_run)
    order = Order(recipe_from(recipe, options), data, out, *how)
    from ..training.batch_plan import Plan  # imports torch, so that it comes after the other checks

    Plan.of(order.recipe.run, max(order.processes, process_count()))  # once, before each process would say it
    return order


class LineHandler(logging.Handler):
    """Print log messages as lines on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        with unless_hung_up():
            line(record.getMessage())


def ignore(report: object) -> None:
    """Do nothing with a report, in a process that does not print."""


@contextmanager
def log_lines(*names: str) -> Iterator[None]:
    """Print the messages of these loggers while inside."""
    handler = LineHandler()
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
