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
        required=True,
        help="folder or zip with train/CLASS/picture and val/CLASS/picture",
    )
    reader.add_argument(
        "--out", type=Path, required=True, help="folder of the run; a stopped one goes on from it"
    )
    for name, kind, value in leaves(recipe):
        reader.add_argument(f"--{name}", type=kind, default=value, help="field of the recipe")
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
