"""Interface of a task to `api`, `cli` and `training`: one `TaskType` for each row of `registry.py`.

A task type imports its parts where it uses them, so that a command knows its options without torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..data.paths import find_images
from ..errors import UsageError
from ..settings.recipe import Recipe
from ..version import __version__
from .card import Training, plain_card
from .options import PredictOptions

if TYPE_CHECKING:
    from ..core.backbone import Swin
    from ..core.spec import Size
    from ..data.dataset import Dataset
    from ..data.loader import Collate
    from ..data.sampler import Sampler
    from ..weights.dialect import Translation
    from ..weights.report import LoadReport
    from ..zoo.hub_configs import Facts
    from .evaluation import Evaluation, Progress
    from .observed import Observed
    from .publication import Claims, Publication
    from .task import Task


Settings = TypeVar("Settings", bound=Recipe)
Data = TypeVar("Data", bound="Dataset")
Model = TypeVar("Model", bound="Task")


class TaskType(ABC, Generic[Settings, Data, Model]):
    """Row of a task: how its models are built, trained, evaluated, saved and published.

    A task is a folder of the same few files: `settings`, `data`, `model`, `losses`, `metrics`, `evaluation`,
    `figures`, `card`, `results` and `task_type`, which holds its subclass of this.
    """

    name: ClassVar[str]  # as `config.json`, `metrics.json` and recipes call the task
    recipe: type[Settings]  # its recipes, torch-free
    predict_options: ClassVar[type[PredictOptions]] = PredictOptions  # those of its models, torch-free
    evaluation_files: ClassVar[tuple[str, ...]] = ("metrics.json",)  # all that its `Evaluation.save` writes
    can_compare: ClassVar[bool] = False  # whether its evaluations have `against`
    claimed_scores: ClassVar[Mapping[str, str]] = {}  # fractions that `push` may report, with words for help

    # Train

    def require_trainable(self, recipe: Settings) -> None:
        """Raise UsageError if the task cannot learn from the kind of inputs of the recipe."""

    @abstractmethod
    def find(self, recipe: Settings, data: Path) -> tuple[Data, Data]:
        """Return the samples to learn from, and those that are held out.

        Raises:
            DataError: `data` has no such splits, or they do not fit the task.
        """

    def find_whole(self, recipe: Settings, data: Path) -> Data:  # noqa: ARG002  for tasks that have no such data
        """Return all samples of data without a held-out split, for `data.hold_out`.

        Raises:
            DataError, UsageError: there are none, or some are held out already.
        """
        raise UsageError(f"data.hold_out is not for the task {self.name}; give data with two splits")

    @abstractmethod
    def build(self, recipe: Settings, samples: Data, initial: Task | None) -> tuple[Model, dict[str, str]]:
        """Return a model to be trained on `samples`, and notes about its weights by what they are about.

        The weights start as those of `initial`, a model of any task; without one they are random.

        Raises:
            DataError: `initial` does not fit the recipe's variant.
        """

    @abstractmethod
    def training_batches(self, recipe: Settings, model: Model) -> Collate[Any]:
        """Return the maker of batches for `Task.losses`."""

    @abstractmethod
    def evaluation_batches(self, model: Model) -> Collate[Any]:
        """Return the maker of batches for `Task.observe`, the same for every training.

        Raises:
            UsageError: the model takes other inputs.
        """

    def sampler(self, recipe: Settings, model: Model, samples: Data) -> Sampler | None:  # noqa: ARG002  most tasks have no order of their own
        """Return the sampler of a training; None for a random permutation."""
        return None

    def pixels(self, recipe: Settings, model: Model, samples: Data) -> Callable[[int], int] | None:  # noqa: ARG002  one size is the rule
        """Return a function from the index of a training sample to its pixels; None if all have as many."""
        return None

    @abstractmethod
    def advise(self, recipe: Settings, model: str) -> str:
        """Return what to do with the model of a training, in the folder `model`, quoted for a shell.

        Commands in it work as they are written, once data, run and recipe are named.
        """

    def draw(self, model: Model, samples: Data, observed: Observed, run: Path) -> None:
        """Draw the observation of the held-out `samples` into the folder of a run; nothing by default.

        Raises:
            ImageError: a picture cannot be read any more.
            EnvironmentProblem: the folder cannot be written.
        """

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
        from .evaluation import observe_all

        batches = InOrder(samples, self.evaluation_batches(model), batch_size=batch_size, workers=workers)
        return self.evaluation(model, samples, observe_all(model, batches, progress))

    @abstractmethod
    def evaluation(self, model: Model, samples: Data, observed: Observed) -> Evaluation:
        """Return the evaluation that follows from the observation of all samples.

        Raises:
            DataError: scores are not finite.
        """

    def protocol(self, model: Model, samples: Data) -> dict[str, Any]:
        """Return the protocol of an evaluation, as written in `metrics.json`."""
        from .evaluation import protocol

        return protocol(self.name, samples, model.preprocess)

    # Predict

    # Finds the inputs that a file, a folder or a pattern names; raises DataError if there are none.
    find_inputs = staticmethod(find_images)

    # Save and load

    def config(self, model: Model) -> dict[str, Any]:  # noqa: ARG002  for tasks without settings
        """Return the task's own fields of `config.json`; none by default."""
        return {}

    def whole_config(self, model: Model) -> dict[str, Any]:
        """Return the content of `config.json`: all that builds the model again, without its weights."""
        from ..models.config import family_of, spec_to_json

        spec = model.backbone.spec
        about = {"swinkit": __version__, "task": self.name, "family": family_of(spec)}
        return {**about, "spec": spec_to_json(spec), **self.config(model)}

    def card(self, model: Model, training: Training[Settings, Data] | None = None) -> str:
        """Return the model card, in Markdown, of a model that comes from `training`, or from elsewhere."""
        return plain_card(model, training)

    @abstractmethod
    def restore(
        self, backbone: Swin, preprocess: Any, labels: Sequence[str], config: Mapping[str, Any]
    ) -> Model:
        """Return the model that `config` and these describe, without its weights.

        Raises:
            DataError: a field of `config` is missing, unknown or wrong.
        """

    def start_from(
        self,
        model: Task,  # noqa: ARG002  overridden
        labels: Sequence[str],  # noqa: ARG002
        *,
        variant: str | None,  # noqa: ARG002
        tables: str | None,  # noqa: ARG002
    ) -> tuple[Model, LoadReport]:
        """Return a model of the classes `labels` with the backbone of `model`, of any task, and a report.

        Raises:
            DataError: the backbone does not fit `variant`.
            UsageError: no such variant, no such way to resize tables, or models of this task have no labels.
        """
        raise UsageError(f"a model of the task {self.name} does not begin with labels; train it by a recipe")

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

    @property
    def can_publish(self) -> bool:
        """True if models of the task can be published."""
        return type(self).publication is not TaskType.publication

    def publication(self, model: Model, name: str, claims: Claims) -> Publication:  # noqa: ARG002  overridden
        """Return `model` as the repository `name` (org/name) of the Hugging Face hub.

        Raises:
            UsageError: models of this task cannot be published.
        """
        raise UsageError(f"{name}: a {type(model).__name__} cannot be published; save it as a folder instead")
