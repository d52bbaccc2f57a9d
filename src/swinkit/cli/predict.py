"""`swinkit predict PATHS...`: say what pictures show."""

import json
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ..errors import DataError, UsageError
from ..zoo.checkpoint_names import require_known
from .arguments import MODEL, Parser, add_model_options, model_options, parse
from .console import line, note, progress
from .output import ROWS, OutputFolder
from .values import Value


def command(arguments: Sequence[str]) -> int:
    """A line for each picture; 3 if one could not be read, after the others."""
    options = read_options(arguments)
    require_known(options.model)
    import torch

    from .. import api
    from ..engine.attach import copy_with_engines
    from ..engine.cpu.build import find_library
    from ..tasks.classification.model import Classifier
    from .pictures import answers, find_all

    paths, missing = find_all(options.paths, options.save)
    if not paths:
        return DataError.exit_code
    model = api.load(options.model, **model_options(options))
    if not isinstance(model, Classifier):
        raise UsageError(f"{options.model} has no classification head to predict with")
    on_gpu = torch.accelerator.is_available()
    if on_gpu:
        model.to(torch.accelerator.current_accelerator())
    if on_gpu or find_library() is not None:
        model = copy_with_engines(model)
    answered = 0
    folder = nullcontext() if options.save is None else OutputFolder(options.save, paths)
    with folder as output, progress(paths) as coming:
        for result, seconds in answers(model, coming, options.top, options.batch_size):
            row = result.to_json() if output is None else output.add(result)
            line(json.dumps(row) if options.json else f"{result}  {1000 * seconds:.1f} ms")
            answered += 1
    if options.save is not None:
        note(f"{answered} {'picture' if answered == 1 else 'pictures'} and {ROWS} are in {options.save}")
    unread = len(paths) - answered
    if unread:
        note(f"{unread} of {len(paths)} could not be read")
    return DataError.exit_code if unread or missing else 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """What the user asked for.

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
    add("--top", type=Value(int), metavar="N", default=5, help="how many answers for each picture")
    add(
        "--batch-size",
        type=Value(int),
        metavar="N",
        default=8,
        help="how many pictures the model sees at a time",
    )
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)  # argparse would drop it between the passes
    options = parse(parser, words[:end], intermixed=True)
    options.paths += words[end + 1 :]
    if not options.paths:
        raise UsageError("name a picture, a folder or a pattern, such as `swinkit predict cat.jpg`")
    for option, value in (("--top", options.top), ("--batch-size", options.batch_size)):
        if value < 1:
            raise UsageError(f"{option}: expected a number of at least 1, got {value}")
    return options
