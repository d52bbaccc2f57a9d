"""Job: a task and its data, built from a recipe and a folder of data."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..data.dataset import Dataset
from ..data.hold_out import split_whole
from ..data.loader import InOrder, Loader
from ..errors import DataError
from ..runs.config_diff import CLASSES, COUNT, PICTURES, PLACE, RECIPE, TRAINING, VALIDATION, WRITTEN
from ..runs.folder import CONFIG, LAST, SPLIT, RunFolder, recorded_config
from ..runs.step_report import spell_non_finite
from ..settings.data import CroppedData
from ..settings.recipe import Recipe
from ..tasks.card import Training
from ..tasks.observed import Observed
from ..tasks.registry import find_task_type
from ..tasks.serialization import read_model, write_model
from ..tasks.task import Task
from ..tasks.task_type import TaskType
from ..zoo.hub_data import locate_data
from .freezing import freeze


@dataclass(frozen=True)
class Job:
    """A task, and the two splits of a data set that it is trained and validated on."""

    recipe: Recipe
    task_type: TaskType[Any, Any, Any]
    task: Task
    training: Dataset
    validation: Dataset
    data: Path  # the folder of the data set
    notes: Mapping[str, str]  # lines for people about how the training begins, by topic

    @property
    def title(self) -> str:
        """The variant and the data, in one line."""
        classes = f" of {len(self.training.classes)} classes" if self.training.classes else ""
        splits = f"{len(self.training)} pictures{classes}, validated on {len(self.validation)}"
        return f"{self.recipe.variant} on {splits} of {self.validation.split}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that must be the same when a run is resumed, with the place of the data."""
        classes = {CLASSES: list(self.training.classes)} if self.training.classes else {}
        return {
            **classes,
            PLACE: str(self.data.absolute()),
            PICTURES: {
                name: {COUNT: len(split), "sha256": split.fingerprint, WRITTEN: split.written}
                for name, split in ((TRAINING, self.training), (VALIDATION, self.validation))
            },
            RECIPE: asdict(self.recipe),
        }

    def loader(self, micro_batch: int) -> Loader[Any]:
        """Return the training split in micro-batches of this size.

        Raises:
            DataError: there are fewer samples than one micro-batch.
            UsageError: the recipe's fields do not fit the model.
        """
        return Loader(
            self.training,
            self.task_type.training_batches(self.recipe, self.task),
            micro_batch=micro_batch,
            seed=self.recipe.run.seed,
            workers=self.recipe.data.workers,
            max_bad_fraction=self.recipe.data.max_bad_fraction,
            sampler=self.task_type.sampler(self.recipe, self.task, self.training),
            pixels=self.task_type.pixels(self.recipe, self.task, self.training),
        )

    def validation_loader(self, batch_size: int) -> InOrder[Any]:
        """Return the validation split, in order, in batches of this size."""
        prepare = self.task_type.evaluation_batches(self.task)
        return InOrder(self.validation, prepare, batch_size=batch_size, workers=self.recipe.data.workers)

    def save(self, folder: Path, scores: dict[str, float]) -> None:
        """Write the task with its scores as a saved model."""
        training = Training(self.recipe, self.training, self.validation, scores)
        card = self.task_type.card(self.task, training)
        protocol = self.task_type.protocol(self.task, self.validation)
        metrics = {**protocol, **spell_non_finite(scores), "pictures": len(self.validation)}
        write_model(self.task, folder, card, metrics)

    def draw(self, run: Path, observed: Observed) -> None:
        """Draw what the task observed in the best evaluation so far into the folder of a run."""
        self.task_type.draw(self.task, self.validation, observed, run)


def job_of(recipe: Recipe, data: Path, initial: Task | None = None, out: Path | None = None) -> Job:
    """Return the job of `recipe` on `data`; weights start as those of `initial`, or else at random.

    With `data.hold_out` the split is that of the run in `out`, if it has one already.

    Raises:
        DataError: the data have no such splits, or a class without pictures.
        UsageError: the recipe's task or variant is unknown, or the variant takes nothing of this kind, or has
            too few stages.
        EnvironmentProblem: the data are on the hub, and cannot be downloaded.
    """
    task_type = find_task_type(recipe.task)
    task_type.require_trainable(recipe)
    torch.manual_seed(recipe.run.seed)
    data = locate_data(data)
    share, held = hold_out_of(recipe), {}
    if share is None:
        training, validation = task_type.find(recipe, data)
    else:
        record, seed = None if out is None else out / SPLIT, recipe.run.seed
        whole = task_type.find_whole(recipe, data)
        training, validation = split_whole(whole, share, seed, record=record, workers=recipe.data.workers)
        held["held out"] = describe_split(training, validation, out)
    task, notes = task_type.build(recipe, training, initial)
    freeze(task, recipe)
    return Job(recipe, task_type, task, training, validation, data, {**notes, **held})


def hold_out_of(recipe: Recipe) -> float | None:
    """Return the share to hold out of data without a split; None where the data have one."""
    return recipe.data.hold_out if isinstance(recipe.data, CroppedData) else None


def describe_split(training: Dataset, validation: Dataset, out: Path | None) -> str:
    """Return a line about what is held out, and how the model can be evaluated on it."""
    count = f"{len(validation)} of {len(training) + len(validation)}, near duplicates on one side"
    if out is None:
        return count
    listing = shlex.quote(str(out / SPLIT))
    return f"{count}; `data={listing} split={validation.split}` evaluates on them"


def model_so_far(recipe: Recipe, out: Path) -> Task | None:
    """Return the latest model of the run in `out`, if the training continues there; else None.

    It replaces the model that `recipe.init` named, because that may be gone or out of reach by now, and the
    checkpoint has the weights that it became.
    """
    if not (any(RunFolder(out).checkpoints) and (out / LAST).is_dir() and (out / CONFIG).is_file()):
        return None
    before = recorded_config(out).get(RECIPE, {})
    if any(before.get(name) != getattr(recipe, name) for name in ("task", "variant", "init")):
        return None
    with suppress(DataError):  # a damaged one counts as none
        return read_model(out / LAST)
    return None
