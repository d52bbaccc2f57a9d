"""Job: a task and its data, built from a recipe and a folder of data."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..data.dataset import Dataset
from ..data.loader import InOrder, Loader
from ..errors import DataError
from ..runs.config_diff import CLASSES, COUNT, PICTURES, PLACE, RECIPE, TRAINING, WRITTEN
from ..runs.folder import CONFIG, LAST, RunFolder, recorded_config
from ..runs.step_report import spelled
from ..settings.recipe import Recipe
from ..tasks.card import Training
from ..tasks.observed import Observed
from ..tasks.registry import TASKS
from ..tasks.serialization import read_model, write_model
from ..tasks.task import Task
from ..zoo.hub_data import locate_data


def draw_nothing(run: Path, observed: Observed) -> None:
    """Draw nothing, for tasks without pictures."""


@dataclass(frozen=True)
class Job:
    """One task on one data set.

    `loader` makes the training data in micro-batches of a size; `validation` the data of an evaluation;
    `config` is the resolved configuration, fingerprints of the data included, which must be the
    same when a run is resumed; `save` writes the task with its scores as a saved model; `draw` draws into
    the run's folder what the task observed in the best evaluation so far.
    """

    title: str  # one line for people; `notes` are more of them, by what they are about
    task: Task
    loader: Callable[[int], Loader[Any]]
    validation: Callable[[int], InOrder[Any]]
    config: dict[str, Any]
    save: Callable[[Path, dict[str, float]], None]
    notes: Mapping[str, str] = field(default_factory=dict)
    draw: Callable[[Path, Observed], None] = draw_nothing


def job_of(recipe: Recipe, data: Path, initial: Task | None = None) -> Job:
    """Return the job of `recipe` on `data`; weights start as those of `initial`, or else at random.

    Raises:
        DataError: the data have no such splits, or a class without pictures.
        UsageError: the recipe's variant is unknown, or takes nothing of this kind.
        EnvironmentProblem: the data are on the hub, and cannot be downloaded.
    """
    task_type = TASKS[recipe.task]()
    task_type.require_trainable(recipe)
    torch.manual_seed(recipe.run.seed)
    data = locate_data(data)
    training, held_out = task_type.find(recipe, data)
    task, notes = task_type.build(recipe, training, initial)
    prepare, prepare_held_out = task_type.training_batches(recipe, task), task_type.evaluation_batches(task)
    settings = recipe.data

    def loader(micro_batch: int) -> Loader[Any]:
        return Loader(
            training,
            prepare,
            micro_batch=micro_batch,
            seed=recipe.run.seed,
            workers=settings.workers,
            max_bad_fraction=settings.max_bad_fraction,
            sampler=task_type.sampler(recipe, task, training),
            pixels=task_type.pixels(recipe, task, training),
        )

    def validation(batch_size: int) -> InOrder[Any]:
        return InOrder(held_out, prepare_held_out, batch_size=batch_size, workers=settings.workers)

    def save(folder: Path, scores: dict[str, float]) -> None:
        card = task_type.card(task, Training(recipe, training, held_out, scores))
        stated = task_type.protocol(task, held_out)
        write_model(task, folder, card, {**stated, **spelled(scores), "pictures": len(held_out)})

    def draw(run: Path, observed: Observed) -> None:
        task_type.draw(task, held_out, observed, run)

    classes = f" of {len(training.classes)} classes" if training.classes else ""
    watched = f"watched on {len(held_out)} of {held_out.split}"
    return Job(
        title=f"{recipe.variant} on {len(training)} pictures{classes}, {watched}",
        task=task,
        loader=loader,
        validation=validation,
        config=config_of(recipe, data, training, held_out),
        save=save,
        draw=draw,
        notes=notes,
    )


def config_of(recipe: Recipe, data: Path, training: Dataset, held_out: Dataset) -> dict[str, Any]:
    """Return the configuration that must be the same when a run is resumed, with the place of the data."""
    classes = {CLASSES: list(training.classes)} if training.classes else {}
    return {
        **classes,
        PLACE: str(data.absolute()),
        PICTURES: {
            name: {COUNT: len(split), "sha256": split.fingerprint, WRITTEN: split.written}
            for name, split in ((TRAINING, training), ("held out", held_out))
        },
        RECIPE: asdict(recipe),
    }


def model_so_far(recipe: Recipe, out: Path) -> Task | None:
    """Return the latest model of the run in `out`, if the training continues there; else None.

    It takes the place of the model that `recipe.init` named, because that may be gone or out of reach by
    now, and the checkpoint has the weights that it became.
    """
    if not (any(RunFolder(out).checkpoints) and (out / LAST).is_dir() and (out / CONFIG).is_file()):
        return None
    before = recorded_config(out).get(RECIPE, {})
    if any(before.get(name) != getattr(recipe, name) for name in ("task", "variant", "init")):
        return None
    with suppress(DataError):  # a damaged one counts as none
        return read_model(out / LAST)
    return None
