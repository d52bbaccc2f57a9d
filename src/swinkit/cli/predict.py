"""`swinkit predict PATHS...`: the answers of a model about pictures."""

import json
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from ..errors import DataError, UsageError, in_series, require
from ..tasks.options import PredictOptions, options_of
from ..tasks.registry import task_type_of, task_types
from ..tasks.task_type import TaskType
from ..zoo.checkpoints import require_known_name
from .arguments import (
    MODEL,
    Parser,
    Value,
    add_model_options,
    model_options,
    parse,
    placeholder,
    text_of,
)
from .console import complain, line, note, progress
from .output import ROWS, OutputFolder

if TYPE_CHECKING:
    from ..tasks.task import Task

Finder = Callable[[str], list[Path]]
Rows = Sequence[TaskType[Any, Any, Any]]

OWN = (
    "paths",
    "inputs",
    "on_unreadable",
    "given",
    "owners",
)  # names that `predict` itself uses, beside its options


def command(arguments: Sequence[str]) -> int:
    """Print a line for each picture; return exit code 3 if one could not be read, after the others."""
    options = read_options(arguments)
    if options.model is not None:
        require_known_name(options.model)
    found = find_inputs(options.paths, options.save)
    if not any(inputs.paths for inputs in found.values()):
        next(iter(found.values())).complain()
        return DataError.exit_code
    model, how = prepare_model(options)
    inputs = found[task_type_of(model).find_inputs]
    inputs.complain()
    paths = inputs.paths
    answered = 0
    folder = nullcontext() if options.save is None else OutputFolder(options.save, paths)
    with folder as output, progress(paths) as remaining:
        for result in model.predict(iter(remaining), on_unreadable=complain, **how):
            row = output.add(result) if output is not None else result.to_json() if options.json else None
            line(json.dumps(row) if options.json else f"{result}  {1000 * result.seconds:.1f} ms")
            answered += 1
    if options.save is not None:
        note(f"{answered} {'picture' if answered == 1 else 'pictures'} and {ROWS} are in {options.save}")
    unread = len(paths) - answered
    if unread:
        note(f"{unread} of {len(paths)} could not be read")
    return DataError.exit_code if unread or inputs.errors else 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments.

    Raises:
        UsageError: no picture is named, or a number is below 1.
    """
    parser = Parser("predict", "Say what pictures show: a line for each.")
    add = parser.add_argument
    add("paths", nargs="*", help="pictures, folders of them, or patterns such as 'a/*.jpg'")
    add("--model", type=Value(str), metavar="MODEL", help=f"{MODEL}; without it, a small one of 10 classes")
    add_model_options(add)
    add("--save", type=Value(Path), metavar="FOLDER", help=f"folder for pictures of the answers and {ROWS}")
    add("--json", action="store_true", help="print one JSON object a picture instead of a line")
    batch = "how many pictures the model sees at a time"
    add("--batch-size", type=Value(int), metavar="N", default=8, help=batch)
    owners = add_task_options(parser)
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)  # argparse drops it between its two passes
    options = parse(parser, words[:end], intermixed=True)
    options.paths += words[end + 1 :]
    if not options.paths:
        raise UsageError("name a picture, a folder or a pattern, such as `swinkit predict cat.jpg`")
    require(options.batch_size >= 1, "--batch-size", options.batch_size, "1 or more")
    options.owners = owners
    options.given = {name: value for name in owners if (value := getattr(options, name)) is not None}
    for name, value in options.given.items():
        require_possible(owners[name], name, value)
    return options


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


@dataclass(frozen=True)
class Inputs:
    """Inputs that names lead to, each once, and an error for each name that leads to none."""

    paths: list[Path]
    errors: list[DataError]

    def complain(self) -> None:
        """Print the errors."""
        for error in self.errors:
            complain(error)


def find_inputs(names: Sequence[str], save: Path | None) -> dict[Finder, Inputs]:
    """Return what the names lead to for each way in which tasks find inputs, before a model is loaded.

    What lies in `save`, the answers of an earlier run, is left out unless a name is inside that folder.
    """
    found: dict[Finder, Inputs] = {}
    for finder in dict.fromkeys(task_type.find_inputs for task_type in task_types()):
        paths, errors = dict[Path, None](), list[DataError]()
        for name in names:
            try:
                paths.update(dict.fromkeys(find_outside(finder, name, save)))
            except DataError as error:
                errors.append(error)
        found[finder] = Inputs(list(paths), errors)
    return found


def find_outside(finder: Finder, name: str, save: Path | None) -> list[Path]:
    """Return the inputs that a name leads to, without those in `save`.

    Raises:
        DataError: there are none.
    """
    paths = finder(name)
    if save is not None and not is_below(Path(name), save):
        paths = [path for path in paths if not is_below(path, save)]
    if not paths:
        raise DataError(f"{name}: no pictures but those in {save}")
    return paths


def is_below(path: Path, folder: Path) -> bool:
    """Return whether `path` is `folder` or lies in it."""
    return path.resolve().is_relative_to(folder.resolve())


def prepare_model(options: Namespace) -> "tuple[Task, dict[str, Any]]":
    """Return the model, where and as it is fastest, and the keywords of its `predict`.

    Raises:
        UsageError: it has no task, or its task does not know an option that was given.
    """
    import torch

    from .. import api
    from ..engine.attach import copy_with_engines
    from ..engine.cpu.build import find_library
    from ..tasks.registry import require_known_task

    source = options.model or "the model"
    model = require_known_task(api.load(options.model, **model_options(options)), source)
    require_known(list(options.given), options.owners, model.name, source)
    on_gpu = torch.accelerator.is_available()
    if on_gpu:
        model.to(torch.accelerator.current_accelerator())
    return (copy_with_engines(model) if on_gpu or find_library() is not None else model), {
        "batch_size": options.batch_size,
        **options.given,
    }
