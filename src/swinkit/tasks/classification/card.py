"""The model cards of classifiers."""

from ...data.dataset import ImageDataset
from ...errors import listed
from ...models.counts import num_parameters
from ...version import __version__
from .model import Classifier

SHOWN = 20  # classes that a card names; labels.json has them all


def training_card(variant: str, training: ImageDataset, held_out: ImageDataset, top1: float) -> str:
    """Return the card of a model that has just been trained; `top1` in [0, 1], on the held-out pictures."""
    return f"""# {variant}, trained by swinkit {__version__}

{len(training.classes)} classes: {listed(training.classes, SHOWN)}.

Trained on the {len(training)} pictures of `{training.root.name}` ({training.split}); {top1:.2%} top-1 on
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
