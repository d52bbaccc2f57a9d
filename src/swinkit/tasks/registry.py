"""The tasks, by name. To add one, write its folder and its row in `TASKS`."""

from collections.abc import Callable
from typing import Any

from .task import Task
from .task_type import TaskType


def classification() -> TaskType[Any]:
    """Return the task of classifiers."""
    from .classification.task_type import ClassificationType

    return ClassificationType()


def simmim() -> TaskType[Any]:
    """Return the task of masked pre-training."""
    from .simmim.task_type import SimMIMType

    return SimMIMType()


# A row imports its task when it is called, since most commands need one task.
TASKS: dict[str, Callable[[], TaskType[Any]]] = {
    "classification": classification,
    "simmim": simmim,
}


def task_type_of(model: Task) -> TaskType[Any]:
    """Return the type of a model's task."""
    return TASKS[model.name]()
