"""The fields of a recipe on the command line: `a.b=value` for every one, typed as the recipe has it."""

from argparse import SUPPRESS, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from ..settings.recipe import Recipe, descriptions
from .arguments import Parser
from .values import Value, placeholder

FIRST = (  # what most trainings are told; the rest stands in a longer help
    "variant",
    "init",
    "drop_path",
    "data.size",
    "data.workers",
    "augmentation.mixup",
    "augmentation.cutmix",
    "optimiser.lr",
    "optimiser.weight_decay",
    "optimiser.layer_decay",
    "schedule.epochs",
    "schedule.warmup_epochs",
    "run.batch_size",
    "run.micro_batch",
    "run.precision",
    "run.compile",
    "run.checkpointing",
    "run.ema",
    "run.seed",
    "run.patience",
    "run.hours",
    "run.trackers",
    "masking.patch",
    "masking.ratio",
)


def add_fields(parser: Parser, recipe: Recipe, *, every: bool = True) -> None:
    """Add an option for every field of the recipe, whose value is the default.

    The help shows `every` field, or only those that most trainings set.
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
            help=words[name] if every or name in FIRST else SUPPRESS,
        )


def chosen(recipe: Recipe, options: Namespace) -> Recipe:
    """Return the recipe with the fields of the parsed options.

    Raises:
        UsageError: together they describe no training.
    """
    return overridden(recipe, {name: getattr(options, name) for name, _, _ in leaves(recipe)})


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
        if is_dataclass(value):
            changes[field.name] = overridden(value, values, f"{name}.")
        elif name in values:
            changes[field.name] = values[name]
    return replace(settings, **changes)
