"""What the saved models of all tasks share: the task, the family and the numbers in `config.json`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ..core.backbone import Swin
from ..core.spec import Spec
from ..data.preprocess import Preprocess
from ..errors import DataError
from ..files.contents import State
from ..files.folder import SavedModel, read_folder
from ..models.build import build
from ..models.config import family_of, spec_from_json, spec_to_json
from ..version import __version__
from ..weights.dialect_table import DIALECTS
from ..weights.load import load_weights

Model = TypeVar("Model", bound=nn.Module)


def config_of(task: str, spec: Spec) -> dict[str, Any]:
    """What config.json says of any model: all that builds its backbone again."""
    return {
        "swinkit": __version__,
        "task": task,
        "family": family_of(spec),
        "spec": spec_to_json(spec),
    }


def tensors_of(model: nn.Module) -> State:
    """What is saved of a model: its tensors, under our own names."""
    return {name: value.detach().contiguous() for name, value in model.state_dict().items()}


def opened(folder: Path) -> tuple[SavedModel, dict[str, Any]]:
    """A saved model and its own configuration, which `push` writes beside what timm reads.

    Raises:
        DataError: the folder is none of a saved model, or something in it is damaged.
    """
    saved = read_folder(folder)
    own = saved.config.get("swinkit")
    return saved, own if isinstance(own, dict) else saved.config


@contextmanager
def rebuilding(folder: Path) -> Iterator[None]:
    """Whatever says inside that numbers describe no model becomes one line about `folder`."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # numbers that no layer can have
        raise DataError(f"{folder}: config.json describes no model: {error}") from None


def rebuilt(saved: SavedModel, config: dict[str, Any], make: Callable[[Swin], Model]) -> Model:
    """The model that `make` puts around the backbone, with the saved weights, in eval mode.

    Raises:
        DataError: the numbers and the weights are of different models, or under names that are not known.
    """
    dialect = str(config.get("dialect", "swinkit"))
    if dialect not in DIALECTS:
        raise DataError(f"tensors in unknown names, {dialect!r}; saved by a later swinkit?")
    numbers = config.get("spec")
    spec = spec_from_json(str(config.get("family")), numbers if isinstance(numbers, dict) else {})
    if sum(spec.depths) > len(saved.state):
        raise DataError(f"config.json tells of {sum(spec.depths)} blocks, the weights of fewer")
    with torch.device("meta"):
        model = make(build(spec))
    load_weights(model, saved.state, dialect=dialect)
    return model.eval()


def preprocess_in(saved: SavedModel, spec: Spec) -> Preprocess:
    """How a saved model of this spec wants its pictures or clips.

    Raises:
        DataError: it is damaged, or of a model of other channels or axes.
    """
    fit = Preprocess.from_json(saved.preprocess)
    if fit.channels not in (3, spec.in_channels):  # three: what models of other channels were once saved with
        wanted = f"{spec.in_channels} channels"
        raise DataError(f"preprocess.json: mean and std are of {fit.channels}, and the model takes {wanted}")
    if len(fit.crop) not in (2, len(spec.patch)):  # two: clips, however many frames they have
        wanted = f"{len(spec.patch)} axes"
        raise DataError(f"preprocess.json: crop is {list(fit.crop)}, and the model's pixels have {wanted}")
    return fit
