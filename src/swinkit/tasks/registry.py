"""The tasks, by name. To add one, write its folder and its row in `TASKS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import DataError, UsageError, in_series
from ..settings.recipe import Recipe, from_json
from .classification.task_type import ClassificationType
from .multi_label.task_type import MultiLabelType
from .regression.task_type import RegressionType
from .simmim.task_type import SimMIMType
from .task_type import TaskType

if TYPE_CHECKING:
    from .task import Task

TASKS: dict[str, Callable[[], TaskType[Any, Any, Any]]] = {
    "classification": ClassificationType,
    "multi-label": MultiLabelType,
    "regression": RegressionType,
    "simmim": SimMIMType,
}
UNNAMED = "classification"  # the task of a model that begins with labels, and of a recipe that names none


def task_types() -> list[TaskType[Any, Any, Any]]:
    """Return the types of all tasks."""
    return [row() for row in TASKS.values()]


def find_task_type(name: str) -> TaskType[Any, Any, Any]:
    """Return the type of the task of this name.

    Raises:
        UsageError: no row has it.
    """
    if name not in TASKS:
        known = ", ".join(TASKS)
        raise UsageError(f"no task {name!r} (known: {known}); a new one needs a row in tasks/registry.py")
    return TASKS[name]()


def task_type_of(model: Task) -> TaskType[Any, Any, Any]:
    """Return the type of a model's task.

    Raises:
        UsageError: no row has it.
        TypeError: model and row have other `predict_options`.
    """
    task_type = find_task_type(model.name)
    ours, theirs = model.predict_options, task_type.predict_options
    if ours is not theirs:
        names = f"{type(model).__name__} has {ours.__name__}, and its row {theirs.__name__}"
        raise TypeError(f"predict_options: {names}; set both to the same class")
    return task_type


def require_known_task(model: object, name: str) -> Task:
    """Return a model if it is of one of the tasks; `name` is what the user called it.

    Raises:
        UsageError: it is of none, such as a backbone without a head.
    """
    from .task import require_task

    task = require_task(model, name, f"give a model of a task ({', '.join(TASKS)})")
    find_task_type(task.name)
    return task


def require_publishable(model: object, name: str) -> Task:
    """Return a model if models of its task can be published; `name` is what the user called it.

    Raises:
        UsageError: they cannot, or it has no task.
    """
    from .task import require_task

    able = f"push publishes models of {in_series(row.name for row in task_types() if row.can_publish)}"
    task = require_task(model, name, able)
    if not task_type_of(task).can_publish:
        raise UsageError(f"{name} is for {task.name}, whose models cannot be published; {able}")
    return task


def require_comparable(models: Mapping[str, Task]) -> None:
    """Raise UsageError unless evaluations of the models, by what the user called them, can be compared."""
    able = f"it is for two models of {in_series(row.name for row in task_types() if row.can_compare)}"
    for name, model in models.items():
        if not task_type_of(model).can_compare:
            raise UsageError(f"--compare: {name} is for {model.name}, which has no comparison; {able}")
    if len({model.name for model in models.values()}) > 1:
        each = in_series(f"{name} is for {model.name}" for name, model in models.items())
        raise UsageError(f"--compare: {each}; give two models of one task")


def evaluation_files() -> frozenset[str]:
    """Return the names of the files that evaluations of any task write."""
    return frozenset(name for task_type in task_types() for name in task_type.evaluation_files)


def recipe_in(recorded: object) -> Recipe:
    """Return the recipe that a run recorded as JSON, of whatever task.

    Raises:
        DataError: a field is missing or unknown.
        UsageError: a value that the recipe refuses.
    """
    task = recorded.get("task") if isinstance(recorded, dict) else None
    if task is not None and (not isinstance(task, str) or task not in TASKS):
        raise DataError(f"recipe.task must be one of {', '.join(TASKS)}, got {task!r}")
    return from_json(TASKS[task or UNNAMED]().recipe, recorded)
