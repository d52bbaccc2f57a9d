"""The fields of a recipe on the command line: `a.b=value` for every one, typed as the recipe has it."""

from argparse import SUPPRESS, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

from ..settings.recipe import Recipe, settings_in
from .arguments import Parser
from .values import Value, placeholder

WORDS = {  # what each field of a recipe is, in the help
    "task": "what is learned",
    "variant": "the model, as `swinkit models` names it",
    "init": "weights to begin with: a checkpoint's name, a file or a saved model; null: none",
    "drop_path": "rate of stochastic depth in the last block, rising from 0 in the first",
    "data.size": "pixels of a picture as the model gets it, [height,width]",
    "data.resize": "pixels of the shorter side before the middle is cut out in evaluation; null: squeezed",
    "data.mean": "of the pictures' red, green and blue, in [0, 1]",
    "data.std": "spread of the same",
    "data.interpolation": "of resizing",
    "data.workers": "processes that read pictures",
    "data.max_bad_fraction": "of the training pictures, that may be unreadable before the run stops",
    "augmentation.scale": "share of a picture's area that a random crop has, [least,most]; null: no crop",
    "augmentation.ratio": "width to height of a random crop, [least,most]",
    "augmentation.shift": "pixels that a picture is moved by at most",
    "augmentation.flip": "probability that a picture is mirrored",
    "augmentation.operations": "of RandAugment, for each picture",
    "augmentation.magnitude": "of RandAugment's operations, of 10",
    "augmentation.magnitude_std": "spread of the same",
    "augmentation.colour": "jitter of brightness, contrast and saturation",
    "augmentation.erase": "probability that a rectangle is erased",
    "augmentation.mixup": "alpha of mixup; 0: none",
    "augmentation.cutmix": "alpha of CutMix; 0: none",
    "augmentation.mixing": "probability that a batch is mixed",
    "augmentation.switch": "probability of CutMix, where both are on",
    "augmentation.mixing_epochs": "in so many epochs from the first; null: in all",
    "augmentation.smoothing": "of the labels, in [0, 1]",
    "optimiser.kind": "adamw, or muon for the matrices of the blocks",
    "optimiser.lr": "learning rate at its peak",
    "optimiser.weight_decay": "share of the weights that a step takes away, in learning rates",
    "optimiser.betas": "of AdamW",
    "optimiser.eps": "of AdamW",
    "optimiser.clip_norm": "largest norm of the gradient; null: as it comes",
    "optimiser.layer_decay": "factor of the learning rate from each block to the one below; null: none",
    "optimiser.rule": "whose parameter groups",
    "schedule.kind": "of the learning rate after the warm-up",
    "schedule.epochs": "passes over the training pictures",
    "schedule.warmup_epochs": "epochs in which the learning rate rises",
    "schedule.warmup_lr": "learning rate at the very beginning",
    "schedule.warmup_share": "warm up from this share of the curve, as mmcv does; null: from warmup_lr",
    "schedule.after_warmup": "begin to fall after the warm-up, not beside it",
    "schedule.final_lr": "learning rate at the end",
    "schedule.power": "of poly",
    "schedule.at": "epochs of the drops (multistep), or from drop to drop (step)",
    "schedule.factor": "what a drop of step and multistep leaves of the rate",
    "schedule.by_epoch": "change the rate once an epoch, not at every step",
    "run.batch_size": "pictures in an optimiser step, over all processes",
    "run.micro_batch": "pictures at a time on one process; null: all of its share; auto: as many as fit",
    "run.precision": "numbers that the forward pass computes with",
    "run.compile": "compile the blocks, which needs a C++ compiler",
    "run.checkpointing": "compute each block again in the backward pass, for less memory",
    "run.sharding": "what processes keep of a weight: none: each the whole (DDP); full: its part (FSDP2)",
    "run.ema": "decay of the averaged weights; null: none",
    "run.seed": "of all that is random",
    "run.save_every": "optimiser steps between checkpoints",
    "run.patience": "epochs without a better score before it stops; null: never",
    "run.hours": "after which it stops; null: never",
    "run.bad_steps": "in a row without a finite loss before it stops",
    "run.trackers": "where else it is followed, such as [tensorboard,wandb]; each needs its extra",
    "masking.patch": "pixels of a masked cell",
    "masking.ratio": "of the cells that are masked",
    "masking.target_window": "pixels over which the target is normed (V2: 47); null: not",
}
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
    for name, kind, value in leaves(recipe):
        section = name.rpartition(".")[0] or "recipe"
        if section not in groups:
            groups[section] = parser.add_argument_group(section)
        groups[section].add_argument(
            f"--{name}",
            type=Value(kind, length=len(value) if isinstance(value, tuple) and value else 1),
            default=value,
            metavar=placeholder(kind),
            help=WORDS[name] if every or name in FIRST else SUPPRESS,
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
