"""Settings of classification: the recipe, and the options of a prediction. Torch-free."""

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from ...errors import require
from ...settings.augmentation import ImageAugmentation
from ...settings.data import CroppedData
from ...settings.recipe import Recipe
from ..options import Least, PredictOptions


@dataclass(frozen=True, kw_only=True)
class Augmentation(ImageAugmentation):
    """Augmentation of labelled pictures: random erasing, mixup, CutMix and label smoothing too.

    Raises:
        UsageError: a field is out of range.
    """

    erase: Annotated[float, "probability that a rectangle of a picture is replaced by noise"] = 0.25
    mixup: Annotated[float, "alpha of the Beta distribution of mixup; 0: none"] = 0.8
    cutmix: Annotated[float, "alpha of the Beta distribution of CutMix; 0: none"] = 1.0
    mixing: Annotated[float, "probability that a batch is mixed at all"] = 1.0
    switch: Annotated[float, "probability of CutMix, where both are on"] = 0.5
    mixing_epochs: Annotated[int | None, "epochs from the first in which batches are mixed; null: all"] = None
    smoothing: Annotated[float, "label smoothing, in [0, 1]"] = 0.1

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        for name in ("erase", "mixing", "switch", "smoothing"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"augmentation.{name}", value, "in [0, 1]")
        for name in ("mixup", "cutmix"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"augmentation.{name}", value, "0 or more")
        epochs = self.mixing_epochs
        require(epochs is None or epochs >= 0, "augmentation.mixing_epochs", epochs, "null, or 0 or more")

    def mixes(self, epoch: int) -> bool:
        """Return whether batches of an epoch, counted from 0, may be mixed."""
        early = self.mixing_epochs is None or epoch < self.mixing_epochs
        return early and bool(self.mixing and (self.mixup or self.cutmix))


@dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe):
    """Complete description of the training of a classifier.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["classification"], "what is learned"] = "classification"
    data: CroppedData
    augmentation: Augmentation = field(default_factory=Augmentation)
    class_weights: Annotated[
        Literal["balanced"] | None,
        "weights of the classes in the loss; balanced: N / (K N_k), for class k with N_k of N pictures",
    ] = None
    sampler: Annotated[
        Literal["class-balanced"] | None,
        "order of the pictures; class-balanced: each class equally often; null: each picture once",
    ] = None
    focal_gamma: Annotated[
        float | None, "gamma of the focal loss, which lowers the loss of easy pictures; null: cross-entropy"
    ] = None
    essential: ClassVar[tuple[str, ...]] = (
        *Recipe.essential,
        *("data.size", "augmentation.mixup", "augmentation.cutmix"),
    )

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        gamma = self.focal_gamma
        require(gamma is None or gamma >= 0, "focal_gamma", gamma, "null, or 0 or more")
        once = self.class_weights is None or self.sampler is None
        rule = "null where sampler=class-balanced already shows each class equally often"
        require(once, "class_weights", self.class_weights, rule)


@dataclass(frozen=True, kw_only=True)
class ClassificationOptions(PredictOptions):
    """Options of a classifier's prediction."""

    top: Annotated[int, "how many answers for each picture", Least(1)] = 5
