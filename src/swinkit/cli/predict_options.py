"""The options of the tasks' predictions as options of `swinkit predict`."""

from argparse import BooleanOptionalAction
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from ..errors import UsageError, in_series
from ..tasks.options import PredictOptions, options_of
from ..tasks.registry import task_types
from ..tasks.task_type import TaskType
from .arguments import Parser, Value, placeholder, text_of

OWN = ("paths", "inputs", "on_unreadable", "given")  # names that `predict` itself uses, beside its options

Rows = Sequence[TaskType[Any, Any, Any]]


def add_task_options(parser: Parser) -> dict[str, Rows]:
    """Add an option for each field of the tasks' options; return the tasks that have it, by its name.

    Raises:
        TypeError: a task's option has a name that is taken, or another type than that of another task.
    """
    found = options_by_name()
    taken = {*OWN, *(action.dest for action in parser.options.values())}
    for name, rows in found.items():
        kinds = [kind_of(row.predict_options, name) for row in rows]
        owners = [row.predict_options.__name__ for row in rows]
        if name in taken or name.replace("_", "-") in parser.options:
            raise TypeError(f"{owners[0]}.{name}: `swinkit predict` has a {name} already; rename the field")
        if any(kind != kinds[0] for kind in kinds):
            raise TypeError(f"{in_series(owners)} have a {name} of other types; rename one")
        words = "; ".join(f"{in_series(names)}: {text}" for text, names in words_of(name, rows).items())
        # A switch has no value; of the others, argparse converts it.
        how: dict[str, Any] = {"type": Value(kinds[0]), "metavar": placeholder(kinds[0])}
        how = {"action": BooleanOptionalAction} if kinds[0] is bool else how
        parser.add_argument(flag_of(name), dest=name, help=words.replace("%", "%%"), **how)
    return found


def options_by_name() -> dict[str, Rows]:
    """Return the names of the tasks' options, each with the tasks that have it."""
    rows = task_types()
    names = dict.fromkeys(field.name for row in rows for field in fields(row.predict_options))
    return {name: [row for row in rows if hasattr(row.predict_options, name)] for name in names}


def kind_of(options: type[PredictOptions], name: str) -> Any:
    """Return the type of an option."""
    return get_type_hints(options, include_extras=True)[name].__origin__


def words_of(name: str, rows: Rows) -> dict[str, list[str]]:
    """Return the texts about an option, each with the names of the tasks that it is about."""
    found: dict[str, list[str]] = {}
    for row in rows:
        words = get_type_hints(row.predict_options, include_extras=True)[name].__metadata__[0]
        default = getattr(row.predict_options, name)
        without = "" if default in (None, "", ()) else f"; without it, {text_of(default)}"
        found.setdefault(f"{words}{without}", []).append(row.name)
    return found


def flag_of(name: str) -> str:
    """Return an option as it is typed."""
    return f"--{name.replace('_', '-')}"


def require_possible(rows: Rows, name: str, value: Any) -> None:
    """Raise UsageError if no task allows the value of an option."""
    problems = list[str]()
    for row in rows:
        try:
            options_of(row.predict_options, {name: value})
            return
        except UsageError as error:
            problems.append(str(error))
    raise UsageError(problems[0].replace(name, flag_of(name), 1))


def require_known(given: Sequence[str], found: dict[str, Rows], task: str, model: str) -> None:
    """Raise UsageError if an option that was `given` is for other tasks than that of the model."""
    for name in given:
        owners = [row.name for row in found[name]]
        if task not in owners:
            others = in_series(owners)
            raise UsageError(
                f"{flag_of(name)} is for models of {others}, and {model} is for {task}; leave it out"
            )
