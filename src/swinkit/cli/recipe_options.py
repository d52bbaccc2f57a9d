"""The fields of a recipe as options: `a.b=value` for each, of the type that the recipe gives it."""

from argparse import SUPPRESS, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from ..errors import UsageError
from ..settings.recipe import Recipe, descriptions
from .arguments import NULL, Parser, Value, placeholder


def add_fields(parser: Parser, recipe: Recipe, *, every: bool = True) -> None:
    """Add an option for every field of the recipe, whose value is the default.

    The help shows `every` field, or only the essential ones.
    """
    groups: dict[str, Any] = {}
    words = dict(descriptions(recipe))
    for name, kind, value in leaves(recipe):
        section = name.rpartition(".")[0] or "recipe"
        if section not in groups:
            groups[section] = parser.add_argument_group(section)
        groups[section].add_argument(
            f"--{name}",
            type=Value(kind, length=len(value) if isinstance(value, tuple) and value else 1),
            default=value,
            metavar=placeholder(kind),
            help=words[name] if every or name in recipe.essential else SUPPRESS,
        )
    for name, reason in recipe.inapplicable.items():
        parser.add_argument(f"--{name}", type=Zero(reason), metavar="0", default=SUPPRESS, help=SUPPRESS)


@dataclass(frozen=True)
class Zero:
    """The type of an option that is for other tasks: 0 is accepted, anything else refused for a `reason`."""

    reason: str

    def __call__(self, text: str) -> float:
        """Return 0.

        Raises:
            ArgumentTypeError: it is not 0; argparse reports it with the option.
        """
        if Value(float)(text) != 0:
            raise ArgumentTypeError(f"is {text}; it must be 0, because {self.reason}")
        return 0.0


def recipe_from(recipe: Recipe, options: Namespace) -> Recipe:
    """Return the recipe with the fields of the parsed options.

    Raises:
        UsageError: together they describe no training.
    """
    try:
        return override(recipe, {name: getattr(options, name) for name, _, _ in leaves(recipe)})
    except UsageError as error:
        raise UsageError(str(error).replace(" is None; ", f" is {NULL}; ", 1)) from None


def leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name, type and value of every field, those of nested settings included."""
    kinds = get_type_hints(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kinds[field.name], value


def override(settings: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Return the same settings with other values for some fields, by dotted name."""
    changes = {}
    for field in fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        if is_dataclass(value):
            changes[field.name] = override(value, values, f"{name}.")
        elif name in values:
            changes[field.name] = values[name]
    return replace(settings, **changes)
