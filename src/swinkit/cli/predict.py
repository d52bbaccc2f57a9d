"""`swinkit predict PATHS...`: say what pictures show."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from jsonargparse import Namespace

from .. import api
from ..data.images import ImageError, find_images, load_image
from ..errors import DataError, UsageError
from ..tasks.classification.model import Classifier
from ..tasks.results import Classification
from .arguments import parse, parser
from .console import complain, line, note, progress
from .output import ROWS, OutputFolder

WITH_VALUE = ("--model", "--save", "--top", "--batch-size")


def command(arguments: Sequence[str]) -> int:
    """A line for each picture; 3 if one could not be read, after the others."""
    options = read_options(arguments)
    paths, missing = find_all(options.paths, options.save)
    if not paths:
        return DataError.exit_code
    model = api.load(options.model)
    if not isinstance(model, Classifier):
        raise UsageError(f"{options.model} has no classification head to predict with")
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
    reader = parser("predict", "Say what pictures show: a line for each.")
    add = reader.add_argument
    add("paths", type=str, nargs="*", help="pictures, folders of them, or patterns such as 'a/*.jpg'")
    add("--model", type=str, default=None, help="a checkpoint's name, a saved folder or a weights file")
    add("--save", type=Path, default=None, help=f"folder for pictures of the answers and {ROWS}")
    add("--json", action="store_true", help="print one JSON object a picture instead of a line")
    add("--top", type=int, default=5, help="how many answers for each picture")
    add("--batch-size", type=int, default=8, help="how many pictures the model sees at a time")
    options = parse(reader, options_first(arguments))
    if not options.paths:
        raise UsageError("name a picture, a folder or a pattern, such as `swinkit predict cat.jpg`")
    for option, value in (("--top", options.top), ("--batch-size", options.batch_size)):
        if value < 1:
            raise UsageError(f"{option}: expected a number of at least 1, got {value}")
    return options


def options_first(words: Sequence[str]) -> list[str]:
    """The same arguments with the pictures last: argparse would not take options between them."""
    options: list[str] = []
    paths: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            paths += remaining
        elif word.startswith("-"):
            options += [word, *islice(remaining, 1 if word in WITH_VALUE else 0)]
        else:
            paths.append(word)
    return [*options, "--", *paths]


def find_all(names: Sequence[str], save: Path | None) -> tuple[list[Path], int]:
    """Every picture that the names lead to, once; and how many names led to none, with a line for each."""
    found: list[Path] = []
    missing = 0
    for name in names:
        try:
            inside = find_images(name)
            if save is not None and not is_below(
                Path(name), save
            ):  # an earlier run's answers are no pictures
                inside = [path for path in inside if not is_below(path, save)]
            if not inside:
                raise DataError(f"{name}: no pictures but those in {save}")
            found += inside
        except DataError as error:
            complain(error)
            missing += 1
    return list(dict.fromkeys(found)), missing


def is_below(path: Path, folder: Path) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path.resolve().is_relative_to(folder.resolve())


def answers(
    model: Classifier, paths: Iterable[Path], top: int, batch_size: int
) -> Iterator[tuple[Classification, float]]:
    """Each result with the seconds that reading and answering took; an error line for what cannot be read."""
    remaining = iter(paths)
    while batch := list(islice(remaining, batch_size)):
        images, names, seconds = [], [], []
        for path in batch:
            began = time.perf_counter()
            try:
                images.append(load_image(path))
            except ImageError as error:
                complain(error)
                continue
            names.append(str(path))
            seconds.append(time.perf_counter() - began)
        if images:
            began = time.perf_counter()
            results = model.answer(images, names, top=top)
            share = (time.perf_counter() - began) / len(images)
            yield from zip(results, (reading + share for reading in seconds), strict=True)
