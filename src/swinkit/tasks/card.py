"""Model card: the facts of a training that it gives, and the card of a task without its own. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..settings.recipe import Recipe
from ..version import __version__

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from .task import Task

Settings = TypeVar("Settings", bound=Recipe)
Data = TypeVar("Data", bound="Dataset")


@dataclass(frozen=True)
class Training(Generic[Settings, Data]):
    """Facts about a training, for the card of its model."""

    recipe: Settings
    samples: Data
    held_out: Data
    scores: Mapping[str, float]  # on `held_out`


def plain_card(model: "Task", training: Training[Any, Any] | None) -> str:
    """Return the card, in Markdown, of a model that comes from `training`, or from elsewhere."""
    parameters = sum(weight.numel() for weight in model.parameters()) / 1e6
    if training is None:
        learned = "Training data, intended use, limits and licence: not stated by whoever saved it."
    else:
        samples, held_out = training.samples, training.held_out
        scores = ", ".join(f"{name} {score:.4g}" for name, score in training.scores.items())
        learned = f"""Trained by the variant {training.recipe.variant} on the {len(samples)} samples of
`{samples.root.name}` ({samples.split}). On the {len(held_out)} of {held_out.split}, which were watched in
training: {scores}. Intended use, limits and licence: to be stated by whoever trained it."""
    return f"""# A Swin for {model.name}

{parameters:.1f} M parameters; made by swinkit {__version__}.

Load it with `swinkit.load("FOLDER")`.

{learned}
"""
