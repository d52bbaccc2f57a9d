"""`swinkit predict PATHS...`: the answers of a model about pictures."""

import json
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.paths import find_images
from ..errors import DataError, UsageError
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse
from .console import complain, line, note, progress
from .output import ROWS, OutputFolder

if TYPE_CHECKING:
    from ..tasks.task import Task


def command(arguments: Sequence[str]) -> int:
    """Print a line for each picture; return exit code 3 if one could not be read, after the others."""
    options = read_options(arguments)
    if options.model is not None:
        require_known_name(options.model)
    paths, missing = find_pictures(options.paths, options.save)
    if not paths:
        return DataError.exit_code
    model, how = prepared_model(options)
    answered = 0
    folder = nullcontext() if options.save is None else OutputFolder(options.save, paths)
    with folder as output, progress(paths) as remaining:
        for result in model.predict(iter(remaining), on_unreadable=complain, **how):
            row = result.to_json() if output is None else output.add(result)
            line(json.dumps(row) if options.json else f"{result}  {1000 * result.seconds:.1f} ms")
            answered += 1
    if options.save is not None:
        note(f"{answered} {'picture' if answered == 1 else 'pictures'} and {ROWS} are in {options.save}")
    unread = len(paths) - answered
    if unread:
        note(f"{unread} of {len(paths)} could not be read")
    return DataError.exit_code if unread or missing else 0


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
    add("--top", type=Value(int), metavar="N", help="how many answers for each picture; without it, 5")
    batch = "how many pictures the model sees at a time"
    add("--batch-size", type=Value(int), metavar="N", default=8, help=batch)
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)  # argparse drops it between its two passes
    options = parse(parser, words[:end], intermixed=True)
    options.paths += words[end + 1 :]
    if not options.paths:
        raise UsageError("name a picture, a folder or a pattern, such as `swinkit predict cat.jpg`")
    for option, value in (("--top", options.top), ("--batch-size", options.batch_size)):
        if value is not None and value < 1:
            raise UsageError(f"{option}: expected a number of at least 1, got {value}")
    return options


def find_pictures(names: Sequence[str], save: Path | None) -> tuple[list[Path], int]:
    """Return every picture that the names lead to, once, and how many names led to none.

    Pictures in `save`, the answers of an earlier run, are left out unless a name is inside that folder.
    """
    found: list[Path] = []
    missing = 0
    for name in names:
        try:
            paths = find_images(name)
            if save is not None and not is_below(Path(name), save):
                paths = [path for path in paths if not is_below(path, save)]
            if not paths:
                raise DataError(f"{name}: no pictures but those in {save}")
            found += paths
        except DataError as error:
            complain(error)
            missing += 1
    return list(dict.fromkeys(found)), missing


def is_below(path: Path, folder: Path) -> bool:
    """Return whether `path` is `folder` or lies in it."""
    return path.resolve().is_relative_to(folder.resolve())


def prepared_model(options: Namespace) -> "tuple[Task, dict[str, Any]]":
    """Return the model, where and as it is fastest, and the keywords of its `predict`.

    Raises:
        UsageError: it has no head, or its task does not know an option that was given.
    """
    import torch

    from .. import api
    from ..engine.attach import copy_with_engines
    from ..engine.cpu.build import find_library
    from ..tasks.registry import task_type_of
    from ..tasks.task import Task

    model = api.load(options.model, **model_options(options))
    if not isinstance(model, Task):
        raise UsageError(f"{options.model} has no head to predict with; give a model of a task")
    how = {"batch_size": options.batch_size}
    if options.top is not None:
        if "top" not in task_type_of(model).predict_options:
            raise UsageError(f"--top: {options.model} gives one answer for each picture; leave it out")
        how["top"] = options.top
    on_gpu = torch.accelerator.is_available()
    if on_gpu:
        model.to(torch.accelerator.current_accelerator())
    return (copy_with_engines(model) if on_gpu or find_library() is not None else model), how
