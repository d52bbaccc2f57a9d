"""Settings of pictures with several labels: the recipe, and the options of a prediction. Torch-free."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ...errors import require
from ...settings.data import CroppedData
from ...settings.recipe import Recipe
from ..classification.settings import Augmentation
from ..options import Least, PredictOptions


@dataclass(frozen=True, kw_only=True)
class MultiLabelRecipe(Recipe):
    """Complete description of the training of a model that answers with every class a picture shows.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["multi-label"], "what is learned"] = "multi-label"
    data: CroppedData
    augmentation: Augmentation = field(default_factory=Augmentation)
    threshold: Annotated[float, "probability from which a class counts as shown, in [0, 1]"] = 0.5
    essential: ClassVar[tuple[str, ...]] = (*Recipe.essential, "data.size", "threshold")

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        require(0 <= self.threshold <= 1, "threshold", self.threshold, "in [0, 1]")


@dataclass(frozen=True, kw_only=True)
class MultiLabelOptions(PredictOptions):
    """Options of a prediction of several labels."""

    top: Annotated[int, "how many answers for each picture", Least(1)] = 5
    threshold: Annotated[
        float | None, "probability from which a class counts as shown, where there are several"
    ] = None
