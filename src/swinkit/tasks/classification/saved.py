"""A classifier as a folder and back."""

from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...data.folders import LabelledImages
from ...data.preprocess import Preprocess
from ...errors import DataError
from ...files.folder import SavedModel, read_folder, write_folder
from ...models.build import build
from ...models.config import family_of, spec_from_json, spec_to_json
from ...models.counts import num_parameters
from ...weights.dialects import DIALECTS
from ...weights.load import load_weights
from .model import Classifier


def write_classifier(model: Classifier, folder: Path, card: str | None = None) -> None:
    """Write weights, configuration, preprocessing, labels and a card.

    Raises:
        EnvironmentProblem: the folder cannot be written; what stood there before is kept.
    """
    state = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    text = card or plain_card(model)
    write_folder(
        folder, SavedModel(described(model), model.preprocess.to_json(), list(model.labels), state, text)
    )


def described(model: Classifier) -> dict[str, Any]:
    """What a saved model's config.json says: all that builds the model again."""
    return {
        "swinkit": __version__,
        "task": "classification",
        "family": family_of(model.backbone.spec),
        "spec": spec_to_json(model.backbone.spec),
        "num_classes": len(model.labels),
    }


def read_classifier(folder: Path) -> Classifier:
    """The classifier saved in a folder, in eval mode.

    Raises:
        DataError: the folder is none of a classifier, or something in it is damaged or unknown.
    """
    saved = read_folder(folder)
    own = saved.config.get("swinkit")
    config = own if isinstance(own, dict) else saved.config  # `push` writes it beside what timm reads
    if config.get("task") != "classification":
        raise DataError(f"{folder}: holds a model for {config.get('task')!r}, not a classifier")
    if config.get("num_classes") != len(saved.labels):
        raise DataError(f"{folder}: {config.get('num_classes')} classes but {len(saved.labels)} labels")
    family, numbers = str(config.get("family")), config.get("spec")
    dialect = str(config.get("dialect", "swinkit"))
    if dialect not in DIALECTS:
        raise DataError(f"{folder}: tensors in unknown names, {dialect!r}; saved by a later swinkit?")
    try:
        spec = spec_from_json(family, numbers if isinstance(numbers, dict) else {})
        if sum(spec.depths) > len(saved.state):
            raise DataError(f"config.json tells of {sum(spec.depths)} blocks, the weights of fewer")
        with torch.device("meta"):
            model = Classifier(build(spec), saved.labels, Preprocess.from_json(saved.preprocess))
        load_weights(model, saved.state, dialect=dialect)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # numbers that no layer can have
        raise DataError(f"{folder}: config.json describes no model: {error}") from None
    return model.eval()


def training_card(variant: str, training: LabelledImages, held_out: LabelledImages, top1: float) -> str:
    """A card for a model that has just been trained; `top1` in [0, 1], on the pictures held out."""
    return f"""# {variant}, trained by swinkit {__version__}

{len(training.classes)} classes: {", ".join(training.classes)}.

Trained on the {len(training)} pictures of `{training.root.name}` ({training.split}); {top1:.2%} top-1 on
the {len(held_out)} of {held_out.split}, which were watched in training. The recipe is in the run's
`recipe.json`.

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
