"""Classifiers as they are built: for a training, and for the tensors of a checkpoint."""

from typing import TYPE_CHECKING

from ...core.backbone import Swin
from ...core.spec import Size
from ...data.classes import class_names
from ...data.imagenet import CLASSES_1K
from ...data.preprocess import Preprocess
from ...errors import DataError, UsageError, printable
from ...models.build import build
from ...zoo.hub_configs import ONE_LABEL
from ..from_recipe import given_weights, preprocess_of, published_preprocess, random_weights, spec_of
from ..task import Task
from .losses import balanced_weights
from .model import Classifier
from .settings import ClassificationRecipe

if TYPE_CHECKING:
    from ...data.dataset import ImageDataset
    from ...weights.dialect import Translation
    from ...zoo.hub_configs import Facts


def build_classifier(
    recipe: ClassificationRecipe, samples: "ImageDataset", initial: Task | None
) -> tuple[Classifier, dict[str, str]]:
    """Return a classifier to be trained on `samples`, and notes; its weights start as those of `initial`.

    Raises:
        DataError: `initial` does not fit the recipe's variant.
    """
    preprocess, classes = preprocess_of(recipe.data), samples.classes
    if initial is None:
        model = Classifier(build(spec_of(recipe)), classes, preprocess)
        notes = random_weights(recipe)
    else:
        from .transfer import classifier_from, match_head

        spec = spec_of(recipe, initial)
        model, report = classifier_from(initial, classes, spec=spec, preprocess=preprocess)
        notes = given_weights(recipe, report)
        if report.mapped:
            notes["head"] = report.mapped["head.classifier.weight"]
        elif isinstance(initial, Classifier):
            notes["head"] = match_head(model, initial)
    model.smoothing = recipe.augmentation.smoothing
    model.focal_gamma = recipe.focal_gamma
    if recipe.class_weights is not None:
        model.class_weights = weights = balanced_weights(samples.counts())
        low, high = int(weights.argmin()), int(weights.argmax())
        names = (f"{weights[i]:.3g} (`{printable(classes[i])}`)" for i in (low, high))
        notes["class weights"] = f"{recipe.class_weights}, from {' to '.join(names)}"
    return model, notes


def classifier_in(
    translation: "Translation", backbone: Swin, facts: "Facts", size: Size, head: str
) -> tuple[Classifier, list[str]] | None:
    """Return the classifier, without weights, that a checkpoint has or that a new head asks for, and notes.

    None if there is neither, or if its head answers with several labels or with numbers.

    Raises:
        DataError: the weight of the head has an impossible shape.
        UsageError: the labels of `facts` do not fit the head.
    """
    weight, labels = translation.state.get("head.classifier.weight"), facts.labels
    begins = head == "new" and labels is not None and (weight is None or len(weight) != len(labels))
    found = head_in(translation, facts, size, head) if facts.problem == ONE_LABEL or begins else None
    if found is None:
        return None
    names, fit, notes = found
    return Classifier(backbone, names, fit), notes


def head_in(
    translation: "Translation", facts: "Facts", size: Size, head: str
) -> tuple[tuple[str, ...], Preprocess, list[str]] | None:
    """Return labels and preprocessing of the linear head that a checkpoint has or that is begun, and notes.

    None if there is neither.

    Raises:
        DataError: the weight of the head has an impossible shape.
        UsageError: the labels of `facts` do not fit the head.
    """
    weight = translation.state.get("head.classifier.weight")
    if weight is None and not (head == "new" and facts.labels is not None):
        return None
    if weight is not None and weight.ndim != 2:
        raise DataError(f"a classifier of shape {tuple(weight.shape)}; it must be (classes, channels)")
    names, origin = labels_of(facts, 0 if weight is None else weight.shape[0], head)
    fit = published_preprocess(size) if facts.preprocess is None else Preprocess.to_crop(**facts.preprocess)
    whose = "as Microsoft evaluates" if facts.preprocess is None else "as published with the weights"
    notes = [f"{len(names)} class names: {origin}", f"pictures: {fit.describe()}, {whose}"]
    return names, fit, notes


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
