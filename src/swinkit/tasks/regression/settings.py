"""Settings of regression: the recipe. Torch-free."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ...errors import require
from ...settings.data import CroppedData
from ...settings.recipe import Recipe
from ..classification.settings import Augmentation

Error = Literal["l1", "l2", "huber"]


@dataclass(frozen=True, kw_only=True)
class RegressionRecipe(Recipe):
    """Complete description of the training of a model that answers with numbers.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["regression"], "what is learned"] = "regression"
    data: CroppedData
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(smoothing=0.0))
    error: Annotated[
        Error, "loss: absolute, squared, or squared below one standard deviation of the values"
    ] = "huber"
    essential: ClassVar[tuple[str, ...]] = (*Recipe.essential, "data.size", "error")

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        smoothing = self.augmentation.smoothing
        require(smoothing == 0, "augmentation.smoothing", smoothing, "0, since numbers have no classes")
