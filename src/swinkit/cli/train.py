"""`swinkit train RECIPE data=... out=...`: train by a recipe, any field of it overridden."""

import logging
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..errors import DataError, UsageError, require
from ..recipes import catalogue
from ..settings.recipe import Recipe
from .arguments import helped, parse, parser
from .console import INTERRUPTED, line, unless_hung_up
from .dry_run import rehearsed
from .launch import FAILED, RANK, launched, started, watched
from .recipe_options import add_fields, chosen

DESCRIPTION = """Train by a recipe (`swinkit recipes` lists them), or go on with a run: `--resume RUN`.

DATA is a folder or zip with train/CLASS/picture and val/CLASS/picture, another layout of docs/data.md, or
hf:org/name; RUN the folder of the run, from which a stopped one goes on. Options may be given as
key=value."""

ALL = "--help-all"
VALUES = {"data": "data=DATA", "out": "out=RUN", "resume": "--resume RUN", "processes": "--processes N"}


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
    place, words = taken(arguments, "resume")
    order = begun(words) if place is None else resumed(Path(place), words)
    if order.dry_run:
        return rehearsed(order.recipe, order.data, order.out, order.processes)
    if order.processes > 1:
        return launched(["train", *taken(arguments, "processes")[1]], order.processes)
    return carried_out(order)


def carried_out(order: Order) -> int:
    """Train in this process, the only one or one of several, of which the first speaks; the exit code."""
    from .. import api
    from ..runs.folder import BEST
    from ..tasks.registry import TASKS
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
        line(f"saved {model}; {TASKS[order.recipe.task]().advice.format(model=shlex.quote(str(model)))}")
    return 0


def begun(arguments: Sequence[str]) -> Order:
    """What `RECIPE data=... out=... field=value` asks for.

    Raises:
        UsageError: an unknown recipe or option, a missing one, or a value that the recipe refuses.
    """
    words = list(arguments)
    named = words.pop(0) if words and not words[0].startswith("-") and "=" not in words[0] else None
    if named is None and not {"--help", "-h", ALL} & set(words):
        raise UsageError("name a recipe first, such as cifar10-swin-pico; `swinkit recipes` lists all")
    recipe = catalogue.find(named or next(iter(catalogue.RECIPES)))
    reader = parser(f"train {named or 'RECIPE'} data=DATA out=RUN", DESCRIPTION)
    reader.add_argument(
        "--resume", metavar="RUN", help="go on with this run; RECIPE, data and out are its own"
    )
    return begun_with(recipe, words, reader)


def begun_with(recipe: Recipe, arguments: Sequence[str], reader: ArgumentParser) -> Order:
    """What `data=... out=... field=value` asks for.

    Raises:
        UsageError: an unknown option, a missing one, or a value that the recipe refuses.
    """
    data, words = taken(arguments, "data")
    out, words = taken(words, "out")
    add_shared(reader)
    add_fields(reader, recipe, every=ALL in words)
    reader.usage = f"{reader.prog} [FIELD=VALUE ...]"
    options = parse(reader, words, assignments=True)
    if data is None or out is None:
        missing = "data, a folder or zip of pictures" if data is None else "out, the folder of the run"
        raise UsageError(f"say where: {missing}; {helped(reader)}")
    return ordered(recipe, options, Path(data), Path(out))


def resumed(run: Path, arguments: Sequence[str]) -> Order:
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
    data, words = taken(arguments, "data")
    reader = parser("train --resume RUN", DESCRIPTION)
    add_shared(reader)
    add_fields(reader, recipe, every=ALL in words)
    reader.usage = f"{reader.prog} [FIELD=VALUE ...]"
    options = parse(reader, words, assignments=True)
    place = data or config.get(PLACE)
    if not isinstance(place, str):
        raise DataError(f"{run}: config.json does not tell where its data lie; name them, with data=PATH")
    return ordered(recipe, options, Path(place), run)


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


def taken(arguments: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    """The value of `name=value`, `--name=value` or `--name value`, if it is given, and the other words.

    Apart from the other options, since jsonargparse takes `data` for all of `data.size` and its like.

    Raises:
        UsageError: the value is missing.
    """
    words = list(arguments)
    for i, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key == f"--{name}" or (key == name and equals):
            rest = words[:i] + words[i + 1 :]
            if not equals and i < len(rest):
                value = rest.pop(i)
            if not value:
                raise UsageError(f"{name} needs a value: {VALUES[name]}")
            return value, rest
    return None, words


def add_shared(reader: ArgumentParser) -> None:
    """The options that both ways have."""
    reader.add_argument(
        ALL, action="help", help="show every field, and leave; `swinkit recipes show` has values"
    )
    reader.add_argument("--processes", type=int, metavar="N", default=1, help="processes on this machine")
    changes = "go on with another recipe or other data than the run began with"
    reader.add_argument("--allow-changes", action="store_true", help=changes)
    told = "say what would be trained, on what and how, and write nothing"
    reader.add_argument("-n", "--dry-run", action="store_true", help=told)


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
