"""How much pictures are changed in training: the settings of `data.augment` and `data.mixing`. Torch-free."""

import math
from dataclasses import dataclass

from ..errors import require
from ..type_check import require_kinds

LARGEST = 10  # magnitude of RandAugment


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How much of it. What is written here is what the papers' classifiers are trained with.

    Raises:
        UsageError: a field has a value that means nothing.
    """

    scale: tuple[float, float] | None = (0.08, 1.0)  # area of the random crop; None: as in evaluation
    ratio: tuple[float, float] = (3 / 4, 4 / 3)  # width by height of that crop
    shift: int = 0  # at most, in pixels, zeros moving in; instead of the random crop
    flip: float = 0.5  # probability per picture
    operations: int = 2  # of RandAugment
    magnitude: float = 9.0  # of those, in [0, 10]
    magnitude_std: float = 0.5
    colour: float = 0.0  # jitter of brightness, contrast and saturation; instead of RandAugment
    erase: float = 0.25  # probability per picture that a rectangle becomes noise
    mixup: float = 0.8  # alpha of its Beta distribution; 0: never
    cutmix: float = 1.0  # likewise
    mixing: float = 1.0  # probability per batch that it is mixed at all
    switch: float = 0.5  # probability that it is by CutMix, where both are possible
    mixing_epochs: int | None = None  # in so many epochs from the first; None: in all
    smoothing: float = 0.1  # of the labels

    def __post_init__(self) -> None:
        """Refuse what could not have been meant."""
        require_kinds(self, "augmentation.")
        self.require_crop()
        for name in ("flip", "erase", "mixing", "switch", "smoothing", "colour"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"augmentation.{name}", value, "in [0, 1]")
        for name in ("operations", "magnitude_std", "mixup", "cutmix"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"augmentation.{name}", value, "0 or more")
        right = 0 <= self.magnitude <= LARGEST
        require(right, "augmentation.magnitude", self.magnitude, f"in [0, {LARGEST}]")
        alone = not (self.colour and self.operations)
        require(alone, "augmentation.colour", self.colour, "0 unless augmentation.operations is 0")
        epochs = self.mixing_epochs
        require(epochs is None or epochs >= 0, "augmentation.mixing_epochs", epochs, "None, or 0 or more")

    def require_crop(self) -> None:
        """The part about what is cut out.

        Raises:
            UsageError: it means nothing.
        """
        if self.scale is not None:
            right = 0 < self.scale[0] <= self.scale[1] <= 1
            require(right, "augmentation.scale", self.scale, "None, or two rising shares in (0, 1]")
        right = 0 < self.ratio[0] <= self.ratio[1]
        require(right, "augmentation.ratio", self.ratio, "two rising numbers above 0")
        right = self.shift >= 0 and not (self.shift and self.scale)
        require(right, "augmentation.shift", self.shift, "0 or more, and 0 unless augmentation.scale is None")

    def mixes(self, epoch: int) -> bool:
        """Whether batches of an epoch may be mixed."""
        early = self.mixing_epochs is None or epoch < self.mixing_epochs
        return early and bool(self.mixing and (self.mixup or self.cutmix))
