"""Rows of tasks whose models answer about a whole picture with K numbers, each with a name."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..classification.settings import Augmentation
from ..task_type import TaskType

if TYPE_CHECKING:
    from ...core.backbone import Swin
    from ...core.spec import Size
    from ...data.dataset import ImageDataset
    from ...data.preprocess import Preprocess
    from ...data.values import ValueDataset
    from ...weights.dialect import Translation
    from ...zoo.hub_configs import Facts
    from ..classification.data import EvaluationCollate, TrainingCollate
    from ..observed import Observed
    from ..task import Task
    from .model import PictureModel

Settings = TypeVar("Settings", bound=Any)
Model = TypeVar("Model", bound="PictureModel[Any]")


class PictureType(TaskType[Settings, "ValueDataset", Model]):
    """Pictures with several values each; a subclass says how values are read and models are made."""

    problem: ClassVar[str]  # as transformers calls it

    @abstractmethod
    def read_values(self, samples: "ImageDataset", names: Sequence[str] | None) -> "ValueDataset":
        """Return the samples with the values that their labels state, in the order of `names`."""

    @abstractmethod
    def new_model(
        self, recipe: Settings, backbone: "Swin", preprocess: "Preprocess", samples: "ValueDataset"
    ) -> Model:
        """Return a model to be trained on `samples`."""

    @abstractmethod
    def bare_model(self, backbone: "Swin", labels: Sequence[str], preprocess: "Preprocess") -> Model:
        """Return the model of a checkpoint of another library, without its weights."""

    def require_trainable(self, recipe: Settings) -> None:
        """Raise UsageError unless the recipe is for pictures, of any number of channels."""
        from ..classification.task_type import require_recipe_of_pictures

        require_recipe_of_pictures(recipe)

    def find(self, recipe: Settings, data: Path) -> "tuple[ValueDataset, ValueDataset]":
        """Return the pictures of two splits with their values."""
        from ...data.channels import channels_to_read
        from ...data.dataset import HELD_OUT, TRAIN
        from ...data.find_dataset import find_samples

        channels = channels_to_read(recipe.data.mean, recipe.data.std)
        training = self.read_values(find_samples(data, TRAIN, channels=channels, as_texts=True), None)
        held_out = find_samples(data, *HELD_OUT, channels=channels, as_texts=True)
        return training, self.read_values(held_out, training.classes)

    def build(
        self, recipe: Settings, samples: "ValueDataset", initial: "Task | None"
    ) -> tuple[Model, dict[str, str]]:
        """Return a model of the values that `samples` have, and notes about its weights."""
        from ...models.build import build
        from ...weights.load import load_weights
        from ..from_recipe import given_weights, preprocess_of, random_weights, spec_of

        model = self.new_model(recipe, build(spec_of(recipe, initial)), preprocess_of(recipe.data), samples)
        if initial is None:
            return model, random_weights(recipe)
        state = dict(initial.saved_tensors())
        kept = type(initial) is type(model) and tuple(initial.labels) == tuple(model.labels)
        if not kept:  # a row of another task, or for another name, is no beginning
            state = {name: value for name, value in state.items() if not name.startswith("head.classifier")}
        tables = initial.table_resize
        report = load_weights(model, state, dialect="swinkit", head="new", tables=tables, channels="adapt")
        return model, {**given_weights(recipe, report), "head": "kept" if kept else "new"}

    def training_batches(self, recipe: Settings, model: Model) -> "TrainingCollate":
        """Return the maker of augmented batches."""
        from ..classification.data import TrainingCollate

        augmentation: Augmentation = recipe.augmentation
        return TrainingCollate(model.preprocess, augmentation, recipe.run.seed, len(model.labels))

    def evaluation_batches(self, model: Model) -> "EvaluationCollate":
        """Return the maker of batches without augmentation, as in prediction."""
        from ..classification.data import EvaluationCollate

        model.require_inputs()
        return EvaluationCollate(model.preprocess)

    def advise(self, recipe: Settings, model: str) -> str:  # noqa: ARG002  the same for all
        """Return the command that predicts."""
        return f"try `swinkit predict PICTURE --model {model}`"

    def samples(self, model: Model, data: Path, split: str) -> "ValueDataset":
        """Return the pictures of a split with the values that `model` knows."""
        from ...data.channels import channels_to_read
        from ...data.find_dataset import find_samples

        channels = channels_to_read(model.preprocess.mean, model.preprocess.std)
        return self.read_values(find_samples(data, split, channels=channels, as_texts=True), model.labels)

    def measured(self, model: Model, samples: "ValueDataset", observed: "Observed") -> dict[str, Any]:
        """Return the arguments of an evaluation.

        Raises:
            DataError: outputs are not finite.
        """
        from ...errors import DataError
        from ..task import HELD_OUT_LOSS, NOT_FINITE

        outputs, targets = model.observed(observed)
        if not outputs.isfinite().all():
            raise DataError(NOT_FINITE)
        scores = model.scores(observed)
        scores["loss"] = scores.pop(HELD_OUT_LOSS)
        return {
            "task": self.name,
            "labels": model.labels,
            "samples": samples,
            "preprocess": model.preprocess,
            "outputs": outputs,
            "targets": targets,
            "scores": scores,
        }

    def from_checkpoint(
        self, translation: "Translation", backbone: "Swin", facts: "Facts", size: "Size", head: str
    ) -> tuple[Model, list[str]] | None:
        """Return a model where the checkpoint has a head that answers this kind of question."""
        from ..classification.build import head_in

        found = head_in(translation, facts, size, head) if facts.problem == self.problem else None
        if found is None:
            return None
        names, fit, notes = found
        return self.bare_model(backbone, names, fit), [f"the head answers {self.problem}", *notes]
