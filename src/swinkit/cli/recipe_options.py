"""The fields of a recipe on the command line: `a.b=value` for every one, typed as the recipe has it."""

from argparse import SUPPRESS
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from types import NoneType
from typing import Any, Literal, get_args, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from ..errors import UsageError
from ..settings.recipe import Recipe, descriptions

METAVARS = {
    str: "NAME",
    int: "N",
    float: "X",
    int | None: "N",
    int | Literal["auto"] | None: "N|auto",
    float | None: "X",
    bool: "true|false",
}  # by type
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


def add_fields(reader: ArgumentParser, recipe: Recipe, *, every: bool = True) -> None:
    """Let `reader` take every field of the recipe, as it is unless given.

    Its help tells of `every` one, or of those that most trainings are told.
    """
    groups: dict[str, Any] = {}
    words = dict(descriptions(recipe))
    for name, kind, value in leaves(recipe):
        section = name.rpartition(".")[0] or "recipe"
        if section not in groups:
            groups[section] = reader.add_argument_group(section)
        shown: dict[str, Any] = {"metavar": METAVARS[kind]} if kind in METAVARS else {}
        help_text = words[name] if every or name in FIRST else SUPPRESS
        groups[section].add_argument(f"--{name}", type=kind, default=value, help=help_text, **shown)


def chosen(recipe: Recipe, options: Namespace) -> Recipe:
    """The recipe with the fields as `reader` found them.

    Raises:
        UsageError: a name is empty, or together they describe no training.
    """
    for name, kind, _ in leaves(recipe):
        if options[name] == "":
            none = "; null stands for none" if NoneType in get_args(kind) else ""
            raise UsageError(f"{name} needs a value: {name}={METAVARS.get(kind, METAVARS[str])}{none}")
    return overridden(recipe, {name: options[name] for name, _, _ in leaves(recipe)})


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
