"""A classifier as a folder and back."""

from pathlib import Path
from typing import Any

from ...data.dataset import ImageDataset
from ...errors import DataError, listed
from ...files.folder import SavedModel, write_folder
from ...models.counts import num_parameters
from ...version import __version__
from ..serialization import config_of, preprocess_in, rebuilt, tensors_of
from .model import Classifier

TASK = "classification"
SHOWN = 20  # classes that a card names; labels.json has them all


def write_classifier(
    model: Classifier, folder: Path, card: str | None = None, metrics: dict[str, Any] | None = None
) -> None:
    """Write weights, configuration, preprocessing, labels, a card and, where they are known, metrics.

    Raises:
        EnvironmentProblem: the folder cannot be written; what stood there before is kept.
    """
    text = card or plain_card(model)
    config, fits = described(model), model.preprocess.to_json()
    write_folder(folder, SavedModel(config, fits, list(model.labels), tensors_of(model), text, metrics))


def described(model: Classifier) -> dict[str, Any]:
    """What a saved classifier's config.json says: all that builds the model again."""
    return config_of(TASK, model.backbone.spec) | {"num_classes": len(model.labels)}


def classifier_in(found: SavedModel, config: dict[str, Any]) -> Classifier:
    """The classifier that a folder held, in eval mode; `config` is its own configuration.

    Raises:
        DataError: something in it is damaged, unknown, or of another model.
    """
    if config.get("num_classes") != len(found.labels):
        raise DataError(f"{config.get('num_classes')} classes but {len(found.labels)} labels")
    return rebuilt(
        found, config, lambda swin: Classifier(swin, found.labels, preprocess_in(found, swin.spec))
    )


def training_card(variant: str, training: ImageDataset, held_out: ImageDataset, top1: float) -> str:
    """A card for a model that has just been trained; `top1` in [0, 1], on the pictures held out."""
    return f"""# {variant}, trained by swinkit {__version__}

{len(training.classes)} classes: {listed(training.classes, SHOWN)}.

Trained on the {len(training)} pictures of `{training.root.name}` ({training.split}); {top1:.2%} top-1 on
the {len(held_out)} of {held_out.split}, which were watched in training. The recipe is in the run's
`config.json`.

Load it with `swinkit.load("FOLDER")`, or `swinkit predict PICTURE --model FOLDER`. It answers with one of
its classes whatever it is shown. Intended use, limits and licence: to be stated by whoever trained it.
"""


def plain_card(model: Classifier) -> str:
    """A card for a model of which nothing but its numbers is known."""
    spec = model.backbone.spec
    parameters = num_parameters(spec, len(model.labels)) / 1e6
    return f"""# A Swin classifier

{parameters:.1f} M parameters, {len(model.labels)} classes; made by swinkit {__version__}.

Load it with `swinkit.load("FOLDER")`, or `swinkit predict PICTURE --model FOLDER`.

Training data, intended use, limits and licence: not stated by whoever saved it.
"""
