"""Settings of classification: the recipe, and the options of a prediction. Torch-free."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ...errors import UsageError
from ...settings.augmentation import Augmentation
from ...settings.recipe import Recipe
from ..options import PredictOptions


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
    """Options of a classifier's prediction.

    Raises:
        UsageError: a value has another type, or no answer is asked for.
    """

    top: Annotated[int, "how many answers for each picture"] = 5

    def __post_init__(self) -> None:
        """Check the number of answers."""
        super().__post_init__()
        require_answers(self.top)


def require_answers(count: int) -> None:
    """Raise UsageError for fewer answers to a picture than one."""
    if count < 1:
        raise UsageError(f"top: expected a number of answers of at least 1, got {count}")
