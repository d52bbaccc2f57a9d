"""`swinkit train RECIPE data=... out=...`: train by a recipe, any field of it overridden."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .. import api
from ..errors import UsageError
from ..recipes import catalogue
from ..training.recipe import Recipe
from .arguments import parse, parser


def command(arguments: Sequence[str]) -> int:
    """Train, print a line an epoch, and say where the model is."""
    words = list(arguments)
    named = words.pop(0) if words and not words[0].startswith("-") and "=" not in words[0] else None
    if named is None and "--help" not in words and "-h" not in words:
        raise UsageError(f"name a recipe first: {', '.join(catalogue.RECIPES)}")
    recipe = catalogue.find(named or next(iter(catalogue.RECIPES)))
    reader = parser(
        "train RECIPE", f"Train by a recipe: {', '.join(catalogue.RECIPES)}. Fields are given as key=value."
    )
    reader.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder or zip with train/CLASS/picture and val/CLASS/picture",
    )
    reader.add_argument(
        "--out", type=Path, required=True, help="folder of this run; a stopped run goes on from it"
    )
    for field in fields(Recipe):
        reader.add_argument(f"--{field.name}", type=field.type, default=getattr(recipe, field.name))
    options = reader.instantiate(parse(reader, words, assignments=True))
    chosen = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    api.train(chosen, options.data, options.out)
    print(f"saved {options.out / 'model'}; try `swinkit predict PICTURE --model {options.out / 'model'}`")
    return 0
