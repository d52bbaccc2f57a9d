"""`swinkit recipes`: the trainings that have a name, and every setting of them. Imports no torch."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..errors import UsageError
from ..models.catalogue import suggest
from ..recipes.catalogue import RECIPES, Entry, entry
from ..recipes.hours import hours_of, told
from ..settings.recipe import Recipe
from ..zoo.checkpoints import published_checkpoints
from .arguments import Parser, parse, text_of
from .console import table
from .recipe_options import add_fields, leaves, recipe_from

ACTIONS = ("list", "show")
COMMAND = re.compile(r"swinkit train \S+ (data=\S+) out=[^\s`]+")
DESCRIPTION = """List what can be trained by name; `swinkit recipes show NAME` prints all that a recipe sets.

top-1: the accuracy that is published for weights trained so, in percent."""


def command(arguments: Sequence[str]) -> int:
    """Print all recipes, or one with its settings, of which `field=value` replaces some."""
    words = list(arguments)
    if words[:1] == ["show"] and words[1:] and not words[1].startswith("-"):
        return show(words[1], words[2:])
    parser = Parser("recipes", DESCRIPTION)
    parser.add_argument("action", nargs="?", default="list", help="list (the default) or show")
    parser.add_argument("name", nargs="?", help="the recipe to show")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parse(parser, words, intermixed=True)
    if options.action not in ACTIONS:
        raise UsageError(f"unknown action {options.action!r}{hint(options.action)}")
    if options.action == "show":
        if options.name is None:
            raise UsageError("name the recipe to show; `swinkit recipes` lists all")
        return show(options.name, ["--json"] if options.json else [])
    if options.name is not None:
        raise UsageError("a list takes no name; `swinkit recipes show NAME` shows one recipe")
    rows = [recipe_json(name, known) for name, known in RECIPES.items()]
    print(json.dumps(rows, indent=1) if options.json else recipe_table(rows))
    return 0


def hint(word: str) -> str:
    """Return the action or recipe that a wrong word may mean, and the known actions."""
    if word in RECIPES:
        return f", did you mean `swinkit recipes show {word}`?"
    return f"{suggest(word, list(ACTIONS))} (known: {', '.join(ACTIONS)})"


def show(name: str, words: Sequence[str]) -> int:
    """Print one recipe.

    Raises:
        UsageError: an unknown recipe or field, or a value that it cannot have.
    """
    known = entry(name)
    recipe = known()
    parser = Parser(f"recipes show {name}", "Show a recipe, with the fields that are given as key=value.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_fields(parser, recipe)
    options = parse(parser, words, assignments=True)
    recipe = recipe_from(recipe, options)
    print(json.dumps(asdict(recipe), indent=1) if options.json else recipe_text(name, known, recipe))
    return 0


def recipe_json(name: str, known: Entry) -> dict[str, Any]:
    """Return the most important facts about a recipe as JSON."""
    recipe = known()
    reported = published_checkpoints()[known.checkpoint].reported if known.checkpoint else {}
    hours = hours_of(known.make, recipe)
    return {
        "name": name,
        "title": known.title,
        "task": recipe.task,
        "variant": recipe.variant,
        "init": recipe.init,
        "epochs": recipe.schedule.epochs,
        "iterations": recipe.schedule.iterations,
        "batch_size": recipe.run.batch_size,
        "v100_hours": None if hours is None else round(hours),
        "checkpoint": known.checkpoint,
        "reported": reported,
    }


def recipe_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table with a row for each recipe."""
    head = ("recipe", "epochs", "batch", "begins with", "top-1")
    lines = [
        (
            row["name"],
            str(row["epochs"] or f"{row['iterations']} steps"),
            str(row["batch_size"]),
            row["init"] or "-",
            f"{row['reported']['top1']:.1f}" if "top1" in row["reported"] else "-",
        )
        for row in rows
    ]
    return table(head, lines, right=("epochs", "batch", "top-1"))


def recipe_text(name: str, known: Entry, recipe: Recipe) -> str:
    """Return the recipe's story, with its name in the command, its hours, and a line for each field."""
    words = COMMAND.sub(rf"swinkit train {name} \1 out=runs/{name}", known.story)
    hours = told(known.make, recipe)
    expected = "" if hours is None else f"\n\nExpected with these settings: {hours}."
    return f"{words}{expected}\n\n{settings(recipe)}"


def settings(recipe: Recipe) -> str:
    """Return a table with a row for each field."""
    return table(("field", "value"), [(field, text_of(value)) for field, _, value in leaves(recipe)])
