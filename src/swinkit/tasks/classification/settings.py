"""Settings of classification: the recipe, and the options of a prediction. Torch-free."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ...settings.augmentation import Augmentation
from ...settings.recipe import Recipe
from ..options import Least, PredictOptions


@dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe):
    """Complete description of the training of a classifier.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["classification"], "what is learned"] = "classification"
    augmentation: Augmentation = field(default_factory=Augmentation)
    essential: ClassVar[tuple[str, ...]] = (*Recipe.essential, "augmentation.mixup", "augmentation.cutmix")


@dataclass(frozen=True, kw_only=True)
class ClassificationOptions(PredictOptions):
    """Options of a classifier's prediction."""

    top: Annotated[int, "how many answers for each picture", Least(1)] = 5
