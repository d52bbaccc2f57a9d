"""A model of any task as a folder, and back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.spec import Spec
from ..data.preprocess import Preprocess
from ..errors import DataError, listed
from ..files.contents import State
from ..files.folder import SavedModel, read_folder, write_folder
from ..files.plain import is_alike
from ..models.build import build
from ..models.config import spec_from_json
from .registry import TASKS, task_type_of
from .saveable import require_plain_tensors, require_rebuildable
from .task import Task, require_task

logger = logging.getLogger(__name__)

OWN = "swinkit"  # the dialect of our own names


def write_model(
    model: object, folder: Path, card: str | None = None, metrics: dict[str, Any] | None = None
) -> None:
    """Write a model as a folder that `read_model` reads; options as of `pack_model`.

    Raises:
        UsageError: `folder` holds something else than a saved model, or as `pack_model`.
        EnvironmentProblem: it cannot be written; what stood there before is kept.
    """
    task = require_task(model, "model", "convert it to a file of weights instead")
    write_folder(folder, pack_model(task, card, metrics))


def pack_model(model: Task, card: str | None = None, metrics: dict[str, Any] | None = None) -> SavedModel:
    """Return the content of a saved model's folder.

    `card` is Markdown in place of the plain card, `metrics` the content of `metrics.json`.

    Raises:
        UsageError: the model could not be read again, because its layers were replaced or wrapped.
    """
    task_type = task_type_of(model)
    require_plain_tensors(model.state_dict())
    config, preprocess = task_type.whole_config(model), model.preprocess.to_json()
    text, state = card or task_type.card(model), model.saved_tensors()
    saved = SavedModel(config, preprocess, list(model.labels), state, text, metrics)
    require_rebuildable(build_empty(saved, config), state)
    return saved


def read_model(folder: Path) -> Task:
    """Return the model saved in a folder, in eval mode, whatever its task.

    Raises:
        DataError: it is no saved model, or something in it is damaged or unknown.
    """
    saved = read_folder(folder)
    own = saved.config.get("swinkit")  # what `push` writes beside the configuration of timm
    config = own if isinstance(own, dict) else saved.config
    with explain_errors(folder):
        if config.get("task") not in TASKS:
            raise DataError(f"holds a model for {config.get('task')!r}, which this swinkit does not know")
        return rebuild(saved, config)


@contextmanager
def explain_errors(folder: Path) -> Iterator[None]:
    """Turn errors of numbers that describe no model into one line about `folder`."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{folder}: {error}") from None
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # numbers that no layer can have
        raise DataError(f"{folder}: config.json describes no model: {error}") from None


def rebuild(saved: SavedModel, config: dict[str, Any]) -> Task:
    """Return the model that `config` describes, with the saved weights, in eval mode.

    Raises:
        DataError: the numbers and the weights are of different models, or under names that are not known.
    """
    dialect = str(config.get("dialect", OWN))
    if dialect != OWN:
        require_dialect(dialect)
    model = build_empty(saved, config)
    if dialect == OWN and fits(model, saved.state):
        model.load_state_dict(saved.state, strict=True, assign=True)
        warn_of_not_finite(saved.state)
    else:  # translates the names of another library, or says which tensors do not fit
        from ..weights.load import load_weights

        load_weights(model, saved.state, dialect=dialect)
    return model.eval()


def build_empty(saved: SavedModel, config: dict[str, Any]) -> Task:
    """Return the model that `config` describes on the meta device, where its weights take no memory.

    Raises:
        DataError: the numbers are of another model than the weights or the preprocessing.
    """
    numbers = config.get("spec")
    spec = spec_from_json(str(config.get("family")), numbers if isinstance(numbers, dict) else {})
    if sum(spec.depths) > len(saved.state):
        raise DataError(
            f"config.json has {sum(spec.depths)} blocks, the weights fewer; restore the one saved with them"
        )
    with torch.device("meta"):
        task_type = TASKS[config["task"]]()
        return task_type.restore(build(spec), preprocess_in(saved, spec), saved.labels, config)


def require_dialect(name: str) -> None:
    """Refuse names of tensors that this swinkit cannot translate.

    Raises:
        DataError: it cannot.
    """
    from ..weights.dialect_table import DIALECTS

    if name not in DIALECTS:
        raise DataError(f"tensors in unknown names, {name!r}; saved by a later swinkit?")


def fits(model: nn.Module, state: State) -> bool:
    """Return whether `state` has the tensors of `model`: equal names and shapes, numbers of the same kind."""
    wanted = model.state_dict()
    return wanted.keys() == state.keys() and all(is_alike(state[name], wanted[name]) for name in state)


def warn_of_not_finite(state: State) -> None:
    """Log a warning that names tensors with NaN or infinity."""
    names = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if names:
        logger.warning("NaN or infinity in %d tensors: %s", len(names), listed(names))


def preprocess_in(saved: SavedModel, spec: Spec) -> Preprocess:
    """Return how a saved model of this spec takes its pictures or clips.

    Raises:
        DataError: it is damaged, or of a model of other channels or axes.
    """
    fit = Preprocess.from_json(saved.preprocess)
    if fit.channels not in (3, spec.in_channels):  # three: what models of other channels were once saved with
        wanted = f"{spec.in_channels} channels"
        raise DataError(f"preprocess.json: mean and std are of {fit.channels}, and the model takes {wanted}")
    # Two: of clips, however many frames they have.
    if fit.axes not in (2, len(spec.patch)):
        wanted = f"{len(spec.patch)} axes"
        raise DataError(f"preprocess.json: it is for {fit.axes} axes, and the model's pixels have {wanted}")
    return fit
