"""Row of classification in the table of tasks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.backbone import Swin
from ...core.spec import Size
from ...data.classes import class_names
from ...data.dataset import ImageDataset
from ...data.imagenet import CLASSES_1K
from ...data.preprocess import Preprocess
from ...errors import DataError, UsageError
from ...models.build import build
from ..from_recipe import axes_of, given_weights, preprocess_of, random_weights, require_axes, spec_of
from ..task_type import TaskType
from .model import Classifier
from .settings import ClassificationRecipe

# What trains, evaluates, draws and publishes is imported where it is used, so that a prediction waits for
# none of it.
if TYPE_CHECKING:
    from ...weights.dialect import Translation
    from ...weights.report import LoadReport
    from ...zoo.hub_configs import Facts
    from ..observed import Observed
    from ..publication import Claims, Publication
    from ..task import Task
    from .data import PrepareEvaluation, PrepareTraining
    from .evaluation import ClassifierEvaluation


class ClassificationType(TaskType[ClassificationRecipe, ImageDataset, Classifier]):
    """Pictures and their classes."""

    name = Classifier.name
    recipe = ClassificationRecipe
    advice = "try `swinkit predict PICTURE --model {model}`"
    evaluation_files = ("metrics.json", "per_class.csv", "predictions.csv", "confusion.png", "worst.png")
    predict_options = ("top",)

    def require_trainable(self, recipe: ClassificationRecipe) -> None:
        """Raise UsageError unless the recipe is for RGB pictures."""
        require_axes(recipe.variant, recipe.data)
        if axes_of(recipe.variant) != 2:
            raise UsageError(
                f"{recipe.variant} takes clips or volumes, from which only `swinkit pretrain` learns yet"
            )
        channels = len(recipe.data.mean)
        if channels != 3:
            raise UsageError(
                f"data.mean is of {channels} channels, from which only `swinkit pretrain` learns yet; "
                f"pictures have three"
            )

    def find(self, recipe: ClassificationRecipe, data: Path) -> tuple[ImageDataset, ImageDataset]:  # noqa: ARG002  the same for all
        """Return the labelled pictures of two splits, each with pictures of every class."""
        from ...data.dataset import HELD_OUT, TRAIN, require_every_class
        from ...data.find_dataset import find_samples

        training = find_samples(data, TRAIN)
        held_out = find_samples(data, *HELD_OUT, classes=training.classes)
        require_every_class(training)
        require_every_class(held_out)
        return training, held_out

    def build(
        self, recipe: ClassificationRecipe, training: ImageDataset, initial: "Task | None"
    ) -> tuple[Classifier, dict[str, str]]:
        """Return a classifier of as many classes as `training` has, and notes about its weights."""
        from .transfer import classifier_from, match_head

        preprocess = preprocess_of(recipe.data)
        if initial is None:
            model = Classifier(build(spec_of(recipe)), training.classes, preprocess)
            notes = random_weights(recipe)
        else:
            spec = spec_of(recipe, initial)
            model, report = classifier_from(initial, training.classes, spec=spec, preprocess=preprocess)
            notes = given_weights(recipe, report)
            if report.mapped:
                notes["head"] = report.mapped["head.classifier.weight"]
            elif isinstance(initial, Classifier):
                notes["head"] = match_head(model, initial)
        model.smoothing = recipe.augmentation.smoothing
        return model, notes

    def training_batches(self, recipe: ClassificationRecipe, model: Classifier) -> "PrepareTraining":
        """Return the maker of augmented batches."""
        from .data import PrepareTraining

        return PrepareTraining(model.preprocess, recipe.augmentation, recipe.run.seed, len(model.labels))

    def evaluation_batches(self, model: Classifier) -> "PrepareEvaluation":
        """Return the maker of batches without augmentation, as in prediction."""
        from ..task import require_pictures
        from .data import PrepareEvaluation

        require_pictures(model.backbone.spec)
        return PrepareEvaluation(model.preprocess)

    def draw(self, model: Classifier, samples: ImageDataset, observed: "Observed", run: Path) -> None:
        """Draw the confusion matrix and the pictures with the highest loss."""
        from .figures import draw_evaluation
        from .predictions import Answers

        draw_evaluation(Answers.of_records(observed.records), samples, model.labels, run)

    def training_card(
        self,
        recipe: ClassificationRecipe,
        model: Classifier,  # noqa: ARG002  the data set says what it has learned
        splits: tuple[ImageDataset, ImageDataset],
        scores: Mapping[str, float],
    ) -> str:
        """Return the card of a classifier that has just been trained."""
        from .card import training_card

        return training_card(recipe.variant, *splits, scores["top1"])

    def samples(self, model: Classifier, data: Path, split: str) -> ImageDataset:
        """Return the labelled pictures of a split, numbered as the classes of `model`."""
        from .evaluation import pictures_for

        return pictures_for(model.labels, data, split)

    def evaluation(
        self, model: Classifier, samples: ImageDataset, observed: "Observed"
    ) -> "ClassifierEvaluation":
        """Return the answers of `model` to all pictures, and their scores."""
        from .evaluation import evaluation_of

        return evaluation_of(model, samples, observed)

    def protocol(self, model: Classifier, samples: ImageDataset) -> dict[str, Any]:
        """Return the protocol of an evaluation."""
        from ..evaluation import protocol

        return protocol(self.name, samples, model.preprocess)

    def config(self, model: Classifier) -> dict[str, Any]:
        """Return the number of classes, whose names are in `labels.json`."""
        return {"num_classes": len(model.labels)}

    def card(self, model: Classifier) -> str:
        """Return the card of a classifier that has numbers, but no description."""
        from .card import plain_card

        return plain_card(model)

    def restore(
        self, backbone: Swin, preprocess: Preprocess, labels: Sequence[str], config: Mapping[str, Any]
    ) -> Classifier:
        """Return the classifier without its weights."""
        if config.get("num_classes") != len(labels):
            raise DataError(f"{config.get('num_classes')} classes but {len(labels)} labels")
        return Classifier(backbone, labels, preprocess)

    def with_labels(
        self, model: "Task", labels: Sequence[str], *, variant: str | None, tables: str | None
    ) -> "tuple[Classifier, LoadReport]":
        """Return a classifier of other classes."""
        from .transfer import begun_anew

        return begun_anew(model, labels, variant=variant, tables=tables)

    def from_checkpoint(
        self, translation: "Translation", backbone: Swin, facts: "Facts", size: Size, head: str
    ) -> tuple[Classifier, list[str]] | None:
        """Return a classifier where the checkpoint has one, or where one with a new head is asked for."""
        from ..from_checkpoint import published_preprocess

        weight = translation.state.get("head.classifier.weight")
        if weight is None and not (head == "new" and facts.labels is not None):
            return None
        if weight is not None and weight.ndim != 2:
            raise DataError(f"a classifier of shape {tuple(weight.shape)}; it must be (classes, channels)")
        names, origin = labels_of(facts, 0 if weight is None else weight.shape[0], head)
        fit = published_preprocess(size) if facts.preprocess is None else Preprocess(**facts.preprocess)
        middle = f"shorter side {fit.resize}, middle {fit.crop}"
        how = f"squeezed to {fit.crop}" if fit.resize is None else middle
        whose = "as Microsoft evaluates" if facts.preprocess is None else "as published with the weights"
        notes = [f"{len(names)} class names: {origin}", f"pictures: {how} pixels, {whose}"]
        return Classifier(backbone, names, fit), notes

    def publication(self, model: Classifier, name: str, claims: "Claims") -> "Publication":
        """Return a classifier as a repository, which timm reads too where it has the model."""
        from .hub_repo import publication

        return publication(model, name, claims)


def labels_of(facts: "Facts", classes: int, head: str) -> tuple[tuple[str, ...], str]:
    """Return the names of the model's classes, given how many the file has, and where they are from.

    Raises:
        UsageError: they are not as many as the head will have.
    """
    classes = CLASSES_1K if head == "mapped" else classes
    if facts.labels is None:
        return class_names(classes)
    if len(facts.labels) != classes and head != "new":
        raise UsageError(f"{len(facts.labels)} labels were given, but the file has {classes} classes")
    return facts.labels, "given"
