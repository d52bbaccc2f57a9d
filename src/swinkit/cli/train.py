"""`swinkit train RECIPE data=... out=...`: train by a recipe, any field of it overridden."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

from .. import api
from ..errors import UsageError
from ..recipes import catalogue
from .arguments import parse, parser
from .console import line

METAVARS = {str: "NAME", int: "N", float: "X", int | None: "N", bool: "true|false"}  # by type, in the help
WORDS = {  # what each field of a recipe is, in the help
    "variant": "the model, as `swinkit models` names it",
    "drop_path": "rate of stochastic depth in the last block, rising from 0 in the first",
    "size": "pixels that pictures are resized to, [height,width]",
    "mean": "of the training pictures' red, green and blue, in [0, 1]",
    "std": "spread of the same",
    "optimiser.lr": "learning rate at its peak",
    "optimiser.weight_decay": "of AdamW",
    "optimiser.betas": "of AdamW",
    "optimiser.clip_norm": "largest norm of the gradient",
    "schedule.epochs": "passes over the training pictures",
    "schedule.warmup_epochs": "epochs in which the learning rate rises from 0",
    "schedule.final_lr": "learning rate at the end of the cosine",
    "augmentation.shift": "pixels that a picture is moved by at most",
    "augmentation.mirror": "probability that a picture is mirrored",
    "augmentation.cutmix": "probability that a batch is mixed by CutMix",
    "augmentation.cutmix_epochs": "in so many epochs from the first; null: in all",
    "augmentation.smoothing": "of the labels, in [0, 1]",
    "run.batch_size": "pictures in a step",
    "run.precision": "numbers that the forward pass computes with",
    "run.compile": "compile the backbone, which needs a C++ compiler",
    "run.seed": "of all that is random",
}


def command(arguments: Sequence[str]) -> int:
    """Train, print a line an epoch, and say where the model is."""
    words = list(arguments)
    named = words.pop(0) if words and not words[0].startswith("-") and "=" not in words[0] else None
    if named is None and not {"--help", "-h"} & set(words):
        raise UsageError(f"name a recipe first: {', '.join(catalogue.RECIPES)}")
    recipe = catalogue.find(named or next(iter(catalogue.RECIPES)))
    reader = parser(
        "train RECIPE",
        f"Train by a recipe: {', '.join(catalogue.RECIPES)}. Options may be given as key=value.",
    )
    reader.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        required=True,
        help="folder or zip with train/CLASS/picture and val/CLASS/picture",
    )
    reader.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        required=True,
        help="folder of the run; a stopped one goes on from it",
    )
    for name, kind, value in leaves(recipe):
        shown: dict[str, Any] = {"metavar": METAVARS[kind]} if kind in METAVARS else {}
        reader.add_argument(f"--{name}", type=kind, default=value, help=WORDS[name], **shown)
    options = parse(reader, words, assignments=True)
    chosen = overridden(recipe, {name: options[name] for name, _, _ in leaves(recipe)})
    try:
        with spoken("swinkit.api", "swinkit.training"):
            api.train(chosen, options.data, options.out)
    except KeyboardInterrupt:
        line("the same command goes on after the last whole epoch")
        raise
    model = options.out / "model"
    line(f"saved {model}; try `swinkit predict PICTURE --model {model}`")
    return 0


class Lines(logging.Handler):
    """Messages as lines on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message."""
        line(record.getMessage())


@contextmanager
def spoken(*names: str) -> Iterator[None]:
    """What these loggers say is printed while inside."""
    lines, loggers = Lines(), [logging.getLogger(name) for name in names]
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


def leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, type and value of every field, those of nested settings included."""
    kinds = get_type_hints(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kinds[field.name], value


def overridden(settings: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """The same settings with the values of dotted names."""
    changes = {}
    for field in fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        changes[field.name] = overridden(value, values, f"{name}.") if is_dataclass(value) else values[name]
    return replace(settings, **changes)
