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
from .arguments import Parser, parse, split_option
from .console import INTERRUPTED, line, unless_hung_up
from .dry_run import rehearsed
from .launch import FAILED, RANK, launched, started, watched
from .recipe_options import add_fields, chosen
from .values import Value

DESCRIPTION = """Train by a recipe (`swinkit recipes` lists them), or go on with a run: `--resume RUN`.

DATA is a folder or zip with train/CLASS/picture and val/CLASS/picture, another layout of docs/data.md, or
hf:org/name; RUN the folder of the run, from which a stopped one goes on. Options may be given as
key=value."""

ALL = "--help-all"
ADVICE = {  # of what has learned a task
    "classification": "try `swinkit predict PICTURE --model {model}`",
    "simmim": "its backbone begins a classifier: `swinkit train RECIPE data=DATA out=RUN init={model}`",
}


@dataclass(frozen=True)
class Order:
    """What is to be trained, and how."""

    recipe: Recipe
    data: Path
    out: Path
    processes: int
    allow_changes: bool
    dry_run: bool = False


def command(arguments: Sequence[str]) -> int:
    """Train, show how far it is, and say where the model is."""
    run, words = split_option("resume", "RUN", arguments)
    order = begun(words) if run is None else resumed(Path(run), words)
    if order.dry_run:
        return rehearsed(order.recipe, order.data, order.out, order.processes)
    if order.processes > 1:
        return launched(["train", *split_option("processes", "N", arguments)[1]], order.processes)
    return carried_out(order)


def carried_out(order: Order) -> int:
    """Train in this process, the only one or one of several, of which the first speaks; the exit code."""
    from .. import api
    from ..runs.folder import BEST
    from .progress_bar import Meter

    speaks = os.environ.get(RANK, "0") == "0"
    try:
        watched()
        heard = spoken("swinkit.training", "swinkit.runs", "swinkit.engine", aloud=speaks)
        with heard, Meter() if speaks else nullcontext() as meter:
            reporting, changes = meter.show if meter else unheard, order.allow_changes
            api.train(order.recipe, order.data, order.out, allow_changes=changes, reporting=reporting)
    except (KeyboardInterrupt, SystemExit) as end:
        if speaks and not (isinstance(end, SystemExit) and end.code in FAILED):
            with unless_hung_up():
                again = f"swinkit train --resume {shlex.quote(str(order.out))}"
                line(f"stopped; `{again}`, or the same command, goes on")
        if isinstance(end, KeyboardInterrupt):  # and that is all there is to say
            return INTERRUPTED
        raise
    if speaks:
        model = order.out / BEST
        line(f"saved {model}; {ADVICE[order.recipe.task].format(model=shlex.quote(str(model)))}")
    return 0


def begun(words: Sequence[str]) -> Order:
    """What `RECIPE data=... out=... field=value` asks for.

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
    return begun_with(recipe, rest, parser)


def begun_with(recipe: Recipe, words: Sequence[str], parser: Parser) -> Order:
    """What `data=... out=... field=value` asks for.

    Raises:
        UsageError: an unknown option, a missing one, or a value that the recipe refuses.
    """
    parser.add_argument("--out", type=Value(Path), metavar="RUN", help=SUPPRESS)  # DESCRIPTION has it
    options = parsed(recipe, words, parser)
    if options.data is None:
        parser.error("say where: data, a folder or zip of pictures")
    if options.out is None:
        parser.error("say where: out, the folder of the run")
    return ordered(recipe, options, options.data, options.out)


def resumed(run: Path, words: Sequence[str]) -> Order:
    """What `--resume RUN` asks for: all as the run recorded it, but for what is given anew.

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
        raise DataError(f"{run}: config.json does not tell where its data lie; name them, with data=PATH")
    return ordered(recipe, options, Path(place), run)


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


def ordered(recipe: Recipe, options: Namespace, data: Path, out: Path) -> Order:
    """What the options ask for.

    Raises:
        UsageError: a value that makes no sense.
    """
    require(options.processes >= 1, "processes", options.processes, "1 or more")
    how = (options.processes, options.allow_changes, options.dry_run)
    order = Order(chosen(recipe, options), data, out, *how)
    from ..training.batch_plan import Plan  # and torch: whatever can be refused without is refused by now

    Plan.of(order.recipe.run, max(order.processes, started()))  # else each of them would complain
    return order


class Lines(logging.Handler):
    """Messages as lines on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        with unless_hung_up():
            line(record.getMessage())


def unheard(said: object) -> None:
    """What is said by a process that does not speak."""


@contextmanager
def spoken(*names: str, aloud: bool = True) -> Iterator[None]:
    """What these loggers say is printed while inside, or else goes nowhere."""
    lines = Lines() if aloud else logging.NullHandler()
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(lines)
            logger.setLevel(level)
