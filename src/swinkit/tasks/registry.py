"""The tasks whose models can be saved: how each is written as a folder, and read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError
from ..files.folder import SavedModel
from ..settings.recipe import Recipe, from_json
from .classification.model import Classifier
from .classification.serialization import TASK as CLASSIFICATION
from .classification.serialization import classifier_in, write_classifier
from .classification.settings import ClassificationRecipe
from .serialization import opened, rebuilding
from .simmim.model import SimMIM
from .simmim.serialization import TASK as MASKED
from .simmim.serialization import simmim_in, write_simmim
from .simmim.settings import SimMIMRecipe

Model = Classifier | SimMIM

READERS: dict[str, Callable[[SavedModel, dict[str, Any]], Model]] = {
    CLASSIFICATION: classifier_in,
    MASKED: simmim_in,
}

RECIPES: dict[str, type[Recipe]] = {CLASSIFICATION: ClassificationRecipe, MASKED: SimMIMRecipe}


def recipe_in(recorded: object) -> Recipe:
    """Return the recipe that a run recorded as JSON, of whatever task.

    Raises:
        DataError: a field is missing or unknown.
        UsageError: a value that the recipe refuses.
    """
    task = recorded.get("task") if isinstance(recorded, dict) else None
    if task is not None and task not in RECIPES:
        raise DataError(f"recipe.task must be one of {', '.join(RECIPES)}, got {task!r}")
    return from_json(RECIPES[task or CLASSIFICATION], recorded)


def read_model(folder: Path) -> Model:
    """The model saved in a folder, in eval mode, whatever its task.

    Raises:
        DataError: it is none of a saved model, or something in it is damaged or unknown.
    """
    found, config = opened(folder)
    task = config.get("task")
    with rebuilding(folder):
        if task not in READERS:
            raise DataError(f"holds a model for {task!r}, which this swinkit does not know")
        return READERS[task](found, config)


def write_model(model: Model, folder: Path, card: str | None = None) -> None:
    """Write a model as a folder that `read_model` reads; `card` is Markdown in place of the plain text.

    Raises:
        UsageError: `folder` holds something else than a saved model, or this is no model of a task.
        EnvironmentProblem: it cannot be written; what stood there before is kept.
    """
    if isinstance(model, Classifier):
        write_classifier(model, folder, card)
    elif isinstance(model, SimMIM):
        write_simmim(model, folder, card)
    else:
        raise UsageError(f"a {type(model).__name__} has no task; convert it to a file of weights instead")
