"""The fields of a recipe on the command line: `a.b=value` for every one, typed as the recipe has it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from ..training.recipe import Recipe, settings_in


def add_fields(reader: ArgumentParser, recipe: Recipe) -> None:
    """Let `reader` take every field of the recipe, as it is unless given."""
    for name, kind, value in leaves(recipe):
        reader.add_argument(f"--{name}", type=kind, default=value, help="field of the recipe")


def chosen(recipe: Recipe, options: Namespace) -> Recipe:
    """The recipe with the fields as `reader` found them.

    Raises:
        UsageError: together they describe no training.
    """
    return overridden(recipe, {name: options[name] for name, _, _ in leaves(recipe)})


def leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, type and value of every field, those of nested settings included."""
    kinds = get_type_hints(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        elif settings_in(kinds[field.name]) is None:  # else another task's, and not to be set here
            yield f"{prefix}{field.name}", kinds[field.name], value


def overridden(settings: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """The same settings with the values of dotted names."""
    changes = {}
    for field in fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        if is_dataclass(value):
            changes[field.name] = overridden(value, values, f"{name}.")
        elif name in values:
            changes[field.name] = values[name]
    return replace(settings, **changes)
