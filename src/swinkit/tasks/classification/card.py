"""The model cards of classifiers."""

from ...data.dataset import ImageDataset
from ...errors import listed
from ...models.counts import num_parameters
from ...version import __version__
from ..card import Training
from .model import Classifier
from .settings import ClassificationRecipe

SHOWN = 20  # classes that a card names; labels.json has them all


def training_card(training: Training[ClassificationRecipe, ImageDataset]) -> str:
    """Return the card of a classifier that has just been trained."""
    samples, held_out, top1 = training.samples, training.held_out, training.scores["top1"]
    return f"""# {training.recipe.variant}, trained by swinkit {__version__}

{len(samples.classes)} classes: {listed(samples.classes, SHOWN)}.

Trained on the {len(samples)} pictures of `{samples.root.name}` ({samples.split}); {top1:.2%} top-1 on
the {len(held_out)} of {held_out.split}, which were watched in training. The recipe is in the run's
`config.json`.

Load it with `swinkit.load("FOLDER")`, or `swinkit predict PICTURE --model FOLDER`. It answers with one of
its classes whatever it is shown. Intended use, limits and licence: to be stated by whoever trained it.
"""


def plain_card(model: Classifier) -> str:
    """Return the card of a model that has numbers, but no description."""
    spec = model.backbone.spec
    parameters = num_parameters(spec, len(model.labels)) / 1e6
    return f"""# A Swin classifier

{parameters:.1f} M parameters, {len(model.labels)} classes; made by swinkit {__version__}.

Load it with `swinkit.load("FOLDER")`, or `swinkit predict PICTURE --model FOLDER`.

Training data, intended use, limits and licence: not stated by whoever saved it.
"""
