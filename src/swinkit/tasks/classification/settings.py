"""The recipe of a classifier. Torch-free."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ...settings.augmentation import Augmentation
from ...settings.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe):
    """How a classifier is trained.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["classification"], "what is learned"] = "classification"
    augmentation: Augmentation = field(default_factory=Augmentation)
