"""Interface of a task to `api`, `cli` and `training`: one `TaskType` for each row of `registry.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..core.backbone import Swin
from ..core.spec import Size
from ..data.dataset import Dataset
from ..data.preprocess import Pipeline, Preprocess
from ..errors import UsageError
from ..settings.recipe import Recipe
from .task import Task

if TYPE_CHECKING:
    from ..data.loader import Prepare
    from ..data.sampler import Sampler
    from ..weights.dialect import Translation
    from ..weights.report import LoadReport
    from ..zoo.hub_configs import Facts
    from .evaluation import Evaluation, Progress
    from .observed import Observed
    from .publication import Claims, Publication


Settings = TypeVar("Settings", bound=Recipe)
Data = TypeVar("Data", bound=Dataset)
Model = TypeVar("Model", bound=Task)


class TaskType(ABC, Generic[Settings, Data, Model]):
    """Row of a task: how its models are built, trained, evaluated, saved and published.

    A task is a folder of the same few files: `settings`, `data`, `model`, `losses`, `metrics`, `evaluation`,
    `figures`, `card` and `task_type`, which holds its subclass of this.
    """

    name: ClassVar[str]  # as `config.json`, `metrics.json` and recipes call the task
    recipe: type[Settings]  # its recipes, torch-free
    advice: ClassVar[str]  # what to do with a model that was trained, with `{model}` for its folder
    evaluation_files: ClassVar[tuple[str, ...]] = ("metrics.json",)  # all that its `Evaluation.save` writes
    preprocess: ClassVar[type[Preprocess | Pipeline]] = Preprocess  # what `preprocess.json` is read as
    predict_options: ClassVar[tuple[str, ...]] = ()  # keywords of its models' `predict`, beside `batch_size`

    # Train

    def require_trainable(self, recipe: Settings) -> None:
        """Raise UsageError if the task cannot learn from the kind of inputs of the recipe."""

    @abstractmethod
    def find(self, recipe: Settings, data: Path) -> tuple[Data, Data]:
        """Return the samples to learn from, and those that are held out.

        Raises:
            DataError: `data` has no such splits, or they do not fit the task.
        """

    @abstractmethod
    def build(self, recipe: Settings, training: Data, initial: Task | None) -> tuple[Model, dict[str, str]]:
        """Return a model to be trained, and notes about its weights by what they are about.

        The weights start as those of `initial`, a model of any task; without one they are random.

        Raises:
            DataError: `initial` does not fit the recipe's variant.
        """

    @abstractmethod
    def training_batches(self, recipe: Settings, model: Model) -> Prepare[Any]:
        """Return the maker of batches for `Task.losses`."""

    @abstractmethod
    def evaluation_batches(self, model: Model) -> Prepare[Any]:
        """Return the maker of batches for `Task.observe`, the same for every training.

        Raises:
            UsageError: the model takes other inputs.
        """

    def sampler(self, samples: Data) -> Sampler | None:  # noqa: ARG002  most tasks have no order of their own
        """Return the sampler of a training; None for a random permutation."""
        return None

    def pixels(self, samples: Data) -> Callable[[int], int] | None:  # noqa: ARG002  one size is the rule
        """Return a function from the index of a training sample to its pixels; None if all have as many."""
        return None

    @abstractmethod
    def draw(self, model: Model, samples: Data, observed: Observed, run: Path) -> None:
        """Draw the observation of the held-out `samples` into the folder of a run.

        Raises:
            ImageError: a picture cannot be read any more.
            EnvironmentProblem: the folder cannot be written.
        """

    @abstractmethod
    def training_card(
        self, recipe: Settings, model: Model, splits: tuple[Data, Data], scores: Mapping[str, float]
    ) -> str:
        """Return the model card, in Markdown, of a model that was trained and scored on these splits."""

    # Evaluate

    @abstractmethod
    def samples(self, model: Model, data: Path, split: str) -> Data:
        """Return the samples of a split that `model` can be evaluated on.

        Raises:
            DataError: there is no such split, or it does not fit the model.
        """

    def evaluate(
        self,
        model: Model,
        samples: Data,
        *,
        batch_size: int,
        workers: int = 0,
        progress: Progress = nullcontext,
    ) -> Evaluation:
        """Return the evaluation of `model`, on its device, on all samples.

        Raises:
            DataError: a sample cannot be read (none is left out), or scores are not finite.
            UsageError: the model takes other inputs.
        """
        from ..data.loader import InOrder
        from .evaluation import observed

        batches = InOrder(samples, self.evaluation_batches(model), batch_size=batch_size, workers=workers)
        return self.evaluation(model, samples, observed(model, batches, progress))

    @abstractmethod
    def evaluation(self, model: Model, samples: Data, observed: Observed) -> Evaluation:
        """Return the evaluation that comes of what `model` observed of all samples.

        Raises:
            DataError: scores are not finite.
        """

    @abstractmethod
    def protocol(self, model: Model, samples: Data) -> dict[str, Any]:
        """Return the protocol of an evaluation, as written in `metrics.json`."""

    # Save and load

    @abstractmethod
    def config(self, model: Model) -> dict[str, Any]:
        """Return the task's own fields of `config.json`."""

    @abstractmethod
    def card(self, model: Model) -> str:
        """Return the model card, in Markdown, of a model that has numbers, but no description."""

    @abstractmethod
    def restore(
        self, backbone: Swin, preprocess: Any, labels: Sequence[str], config: Mapping[str, Any]
    ) -> Model:
        """Return the model that `config` and these describe, without its weights.

        Raises:
            DataError: a field of `config` is missing, unknown or wrong.
        """

    @abstractmethod
    def with_labels(
        self, model: Task, labels: Sequence[str], *, variant: str | None, tables: str | None
    ) -> tuple[Task, LoadReport]:
        """Return a model of other classes that starts with the backbone of `model`, and a report.

        Raises:
            DataError: the backbone does not fit `variant`.
            UsageError: no such variant, or no such way to resize tables.
        """

    def from_checkpoint(
        self, translation: Translation, backbone: Swin, facts: Facts, size: Size, head: str
    ) -> tuple[Model, list[str]] | None:
        """Return the model, without weights, that a checkpoint's tensors are of, and notes for the report.

        None if they are not of this task. `size` is the variant's usual one, `head` the one of `load`.

        Raises:
            DataError: a tensor of the head has an impossible shape.
            UsageError: the labels of `facts` do not fit the head.
        """

    # Publish

    def publication(self, model: Model, name: str, claims: Claims) -> Publication:  # noqa: ARG002  overridden
        """Return `model` as the repository `name` (org/name) of the Hugging Face hub.

        Raises:
            UsageError: models of this task cannot be published.
        """
        raise UsageError(f"{name}: a {type(model).__name__} cannot be published; save it as a folder instead")
