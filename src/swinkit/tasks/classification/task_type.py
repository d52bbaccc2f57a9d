"""Row of classification in the table of tasks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, SwinkitError, UsageError
from ..card import Training
from ..task_type import TaskType
from .settings import ClassificationOptions, ClassificationRecipe

if TYPE_CHECKING:
    from ...core.backbone import Swin
    from ...core.spec import Size
    from ...data.dataset import ImageDataset
    from ...data.preprocess import Preprocess
    from ...data.sampler import Sampler
    from ...weights.dialect import Translation
    from ...weights.report import LoadReport
    from ...zoo.hub_configs import Facts
    from ..observed import Observed
    from ..publication import Claims, Publication
    from ..task import Task
    from .data import EvaluationCollate, TrainingCollate
    from .evaluation import ClassifierEvaluation
    from .model import Classifier


class ClassificationType(TaskType[ClassificationRecipe, "ImageDataset", "Classifier"]):
    """Pictures and their classes."""

    name = "classification"
    recipe = ClassificationRecipe
    predict_options = ClassificationOptions
    evaluation_files = ("metrics.json", "per_class.csv", "predictions.csv", "confusion.png", "worst.png")
    can_compare = True
    claimed_scores = {"top1": "the accuracy to report, from 0 to 1"}  # noqa: RUF012

    def require_trainable(self, recipe: ClassificationRecipe) -> None:
        """Raise UsageError unless the recipe is for pictures, of any number of channels."""
        require_recipe_of_pictures(recipe)

    def find(self, recipe: ClassificationRecipe, data: Path) -> "tuple[ImageDataset, ImageDataset]":
        """Return the labelled pictures of two splits, each with pictures of every class."""
        from ...data.channels import channels_to_read
        from ...data.dataset import HELD_OUT, TRAIN, require_every_class
        from ...data.find_dataset import find_samples
        from ...data.folders import NoSplit

        channels = channels_to_read(recipe.data.mean, recipe.data.std)
        try:
            training = find_samples(data, TRAIN, channels=channels)
            held_out = find_samples(data, *HELD_OUT, classes=training.classes, channels=channels)
        except NoSplit as error:
            try:
                self.find_whole(recipe, data)
            except SwinkitError:
                raise error from None
            raise NoSplit(f"{error}; data.hold_out=0.2 holds some of its pictures out") from None
        require_every_class(training)
        require_every_class(held_out)
        return training, held_out

    def find_whole(self, recipe: ClassificationRecipe, data: Path) -> "ImageDataset":
        """Return all labelled pictures of a folder of classes."""
        from ...data.channels import channels_to_read
        from ...data.dataset import require_every_class
        from ...data.find_dataset import find_whole

        whole = find_whole(data, channels_to_read(recipe.data.mean, recipe.data.std))
        require_every_class(whole)
        return whole

    def build(
        self, recipe: ClassificationRecipe, samples: "ImageDataset", initial: "Task | None"
    ) -> "tuple[Classifier, dict[str, str]]":
        """Return a classifier of as many classes as `samples` has, and notes about its weights."""
        from .build import build_classifier

        return build_classifier(recipe, samples, initial)

    def sampler(
        self,
        recipe: ClassificationRecipe,
        model: "Classifier",  # noqa: ARG002  the same for all
        samples: "ImageDataset",
    ) -> "Sampler | None":
        """Return the sampler that the recipe names; None for a random permutation."""
        if recipe.sampler is None or samples.labels is None:
            return None
        from ...data.sampler import ClassBalanced

        return ClassBalanced(samples.labels)

    def training_batches(self, recipe: ClassificationRecipe, model: "Classifier") -> "TrainingCollate":
        """Return the maker of augmented batches."""
        from .data import TrainingCollate

        return TrainingCollate(model.preprocess, recipe.augmentation, recipe.run.seed, len(model.labels))

    def evaluation_batches(self, model: "Classifier") -> "EvaluationCollate":
        """Return the maker of batches without augmentation, as in prediction."""
        from .data import EvaluationCollate

        model.require_inputs()
        return EvaluationCollate(model.preprocess)

    def advise(self, recipe: ClassificationRecipe, model: str) -> str:  # noqa: ARG002  the same for all
        """Return the command that predicts."""
        return f"try `swinkit predict PICTURE --model {model}`"

    def draw(self, model: "Classifier", samples: "ImageDataset", observed: "Observed", run: Path) -> None:
        """Draw the confusion matrix and the pictures with the highest loss."""
        from .figures import draw_evaluation
        from .predictions import Answers

        draw_evaluation(Answers.of_records(observed.records), samples, model.labels, run)

    def samples(self, model: "Classifier", data: Path, split: str) -> "ImageDataset":
        """Return the labelled pictures of a split, numbered as the classes of `model`."""
        from .evaluation import find_pictures

        return find_pictures(model, data, split)

    def evaluation(
        self, model: "Classifier", samples: "ImageDataset", observed: "Observed"
    ) -> "ClassifierEvaluation":
        """Return the answers of `model` to all pictures, and their scores."""
        from .evaluation import evaluation_of

        return evaluation_of(model, samples, observed)

    def config(self, model: "Classifier") -> dict[str, Any]:
        """Return the number of classes, whose names are in `labels.json`."""
        return {"num_classes": len(model.labels)}

    def card(
        self, model: "Classifier", training: "Training[ClassificationRecipe, ImageDataset] | None" = None
    ) -> str:
        """Return the card, which names the classes and the accuracy where they are known from a training."""
        from .card import plain_card, training_card

        return plain_card(model) if training is None else training_card(training)

    def restore(
        self, backbone: "Swin", preprocess: "Preprocess", labels: Sequence[str], config: Mapping[str, Any]
    ) -> "Classifier":
        """Return the classifier without its weights."""
        from .model import Classifier

        if config.get("num_classes") != len(labels):
            raise DataError(f"{config.get('num_classes')} classes but {len(labels)} labels")
        return Classifier(backbone, labels, preprocess)

    def start_from(
        self, model: "Task", labels: Sequence[str], *, variant: str | None, tables: str | None
    ) -> "tuple[Classifier, LoadReport]":
        """Return a classifier with a new head, and a report on every tensor."""
        from .transfer import start_from

        return start_from(model, labels, variant=variant, tables=tables)

    def from_checkpoint(
        self, translation: "Translation", backbone: "Swin", facts: "Facts", size: "Size", head: str
    ) -> "tuple[Classifier, list[str]] | None":
        """Return a classifier where the checkpoint has one, or where one with a new head is asked for."""
        from .build import classifier_in

        return classifier_in(translation, backbone, facts, size, head)

    def publication(self, model: "Classifier", name: str, claims: "Claims") -> "Publication":
        """Return a classifier as a repository, which timm reads too where it has the model."""
        from .hub_repo import publication

        return publication(model, self.whole_config(model), name, claims)


def require_recipe_of_pictures(recipe: Any) -> None:
    """Raise UsageError unless a recipe with cropped data and augmentation is for pictures."""
    from ..from_recipe import axes_of, require_axes

    require_axes(recipe.variant, recipe.data)
    if axes_of(recipe.variant) != 2:
        raise UsageError(
            f"{recipe.variant} takes clips or volumes, from which only `swinkit pretrain` learns yet"
        )
    recipe.augmentation.require_fits(axes=2, channels=len(recipe.data.mean))
