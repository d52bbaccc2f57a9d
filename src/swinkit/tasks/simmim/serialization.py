"""A masked image model as a folder and back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...data.dataset import ALL, ImageDataset
from ...errors import DataError, UsageError
from ...files.folder import SavedModel, write_folder
from ...models.counts import num_parameters
from ...version import __version__
from ..serialization import config_of, preprocess_in, rebuilt, tensors_of
from .model import SimMIM
from .settings import Masking

TASK = "simmim"
USE = """It answers with pictures, not with classes: `swinkit.load("FOLDER").predict("PICTURE").plot()` shows
what it makes of a picture of which a part is hidden. To be trained further, it is named as `init` of a
classifier's recipe, or begins a classifier in Python: `swinkit.load("FOLDER", labels=[...], head="new")`.
"""


def write_simmim(
    model: SimMIM, folder: Path, card: str | None = None, metrics: dict[str, Any] | None = None
) -> None:
    """Write weights, configuration with the masking, preprocessing, a card and metrics; the labels are none.

    Raises:
        EnvironmentProblem: the folder cannot be written; what stood there before is kept.
    """
    config = config_of(TASK, model.backbone.spec) | {"masking": asdict(model.masking)}
    text = card or plain_card(model)
    fits = model.preprocess.to_json()
    write_folder(folder, SavedModel(config, fits, [], tensors_of(model), text, metrics))


def simmim_in(found: SavedModel, config: dict[str, Any]) -> SimMIM:
    """The masked image model that a folder held, in eval mode; `config` is its own configuration.

    Raises:
        DataError: something in it is damaged, unknown, or of another model.
    """
    masking = masking_from(config.get("masking"))
    return rebuilt(found, config, lambda swin: SimMIM(swin, masking, preprocess_in(found, swin.spec)))


def masking_from(values: Any) -> Masking:
    """What config.json says of the masking.

    Raises:
        DataError: a field is missing, unknown or wrong.
    """
    known = set(asdict(Masking()))
    if not isinstance(values, dict) or set(values) != known:
        raise DataError(f"config.json: `masking` must have the fields {', '.join(sorted(known))}")
    try:
        return Masking(**values)
    except UsageError as error:
        raise DataError(f"config.json: {error}") from None


def pretraining_card(
    variant: str, model: SimMIM, training: ImageDataset, held_out: ImageDataset, scores: Mapping[str, float]
) -> str:
    """A card for a model that has just been pre-trained; `scores` are those of the pictures held out."""
    masking = model.masking
    watched = f"the {len(held_out)} of {held_out.split}"
    if held_out.split == ALL:
        watched = "all pictures, those of training included"
    return f"""# {variant}, pre-trained by swinkit {__version__}

By SimMIM, without labels, on the {len(training)} pictures of `{training.root.name}` ({training.split}):
{masking.ratio:.0%} of each was hidden, in cells of {masking.patch} x {masking.patch} pixels. Of {watched},
it explains {scores["explained"]:.1%} of what is hidden (0% is answering with the mean colour; the mean
absolute error is {scores["l1"]:.4f}, in units of the spread).

{USE}
Intended use, limits and licence: to be stated by whoever trained it.
"""


def plain_card(model: SimMIM) -> str:
    """A card for a model of which nothing but its numbers is known."""
    parameters = num_parameters(model.backbone.spec, 0) / 1e6
    masking = model.masking
    return f"""# A Swin pre-trained on masked pictures

A backbone of {parameters:.1f} M parameters, with the decoder of SimMIM: {masking.ratio:.0%} of the pictures
were hidden, in cells of {masking.patch} x {masking.patch} pixels. Made by swinkit {__version__}.

{USE}
Training data, intended use, limits and licence: not stated by whoever saved it.
"""
