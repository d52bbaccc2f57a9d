"""Settings of masked image modelling: share and size of the hidden cells, recipe, options. Torch-free.

The last two axes are covered by square cells, from the near corner on; cells that reach beyond the far end
count as any other, and what of them lies outside is cut off. A share of the cells is hidden.

Shapes: *P size in pixels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ...core.spec import Size, Spec
from ...errors import require
from ...models.families import SpecV2
from ...settings.augmentation import ImageAugmentation
from ...settings.data import CroppedData
from ...settings.recipe import Recipe
from ...type_check import require_kinds
from ..options import Least, PredictOptions

VIEW = ImageAugmentation(scale=(0.67, 1.0), operations=0)  # of a picture in training, as published
LABELS = ("augmentation.mixup", "augmentation.cutmix", "augmentation.smoothing")  # a classifier's fields
PLANE = 2  # axes over which cells are drawn; a signal has but one


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Mask and target of masked image modelling; defaults are SimMIM's for V1.

    Raises:
        UsageError: a field that describes no mask.
    """

    patch: Annotated[int, "side of a masked cell, in pixels"] = 32
    ratio: Annotated[float, "share of the cells that are masked"] = 0.6
    target_window: Annotated[
        int | None, "side of the window over which the target is normed, in pixels (V2: 47); null: not normed"
    ] = None

    def __post_init__(self) -> None:
        """Check types and values of the fields."""
        require_kinds(self, "masking.")
        require(self.patch >= 1, "masking.patch", self.patch, "1 pixel or more")
        require(0 < self.ratio <= 1, "masking.ratio", self.ratio, "above 0 and at most 1")
        window = self.target_window
        odd = window is None or (window > 1 and window % 2 == 1)
        require(odd, "masking.target_window", window, "null, or an odd number of pixels above 1")

    def cells(self, size: Size) -> Size:
        """Return the number of cells that cover each of the last two axes of *P."""
        return tuple((side + self.patch - 1) // self.patch for side in size[-PLANE:])

    def hidden_of(self, cells: int) -> int:
        """Return how many of `cells` are hidden: the share, rounded up."""
        return math.ceil(cells * self.ratio)

    def require_fits(self, size: Size, patch: Size) -> None:
        """Check pictures of `size` for a model of patches of `patch` pixels.

        Raises:
            UsageError: a cell is not made of whole patches, or nothing would be left to be seen.
        """
        whole = all(self.patch % side == 0 for side in patch[-PLANE:])
        require(whole, "masking.patch", self.patch, f"a multiple of the model's patches, {patch[-PLANE:]}")
        cells = math.prod(self.cells(size))
        left = self.hidden_of(cells) < cells
        shown = " x ".join(map(str, size))
        rule = f"small enough for a picture of {shown} pixels to have cells that are not hidden"
        require(left, "masking.patch", self.patch, f"{rule}: {self.ratio} of {cells} are all")


@dataclass(frozen=True, kw_only=True)
class SimMIMRecipe(Recipe):
    """Complete description of a pre-training by masked image modelling.

    Raises:
        UsageError: together, the fields describe no training.
    """

    task: Annotated[Literal["simmim"], "what is learned"] = "simmim"
    data: CroppedData
    augmentation: ImageAugmentation = VIEW
    masking: Masking
    essential: ClassVar[tuple[str, ...]] = (
        *Recipe.essential,
        *("data.size", "masking.patch", "masking.ratio"),
    )
    inapplicable: ClassVar[Mapping[str, str]] = {
        "augmentation.erase": "it would change what is reconstructed",
        **dict.fromkeys(LABELS, "pre-training has no labels"),
    }

    def __post_init__(self) -> None:
        """Check every field, and that the augmentation does without labels."""
        super().__post_init__()
        kind = type(self.augmentation)
        rule = "an ImageAugmentation, since mixing and smoothing are for labels"
        require(kind is ImageAugmentation, "augmentation", kind.__name__, rule)


@dataclass(frozen=True, kw_only=True)
class SimMIMOptions(PredictOptions):
    """Options of a masked image model's prediction."""

    seed: Annotated[int, "seed of the part that a pre-trained model hides of each picture", Least(0)] = 0


def published_masking(spec: Spec) -> Masking:
    """Return the masking of SimMIM's authors: V2's targets are normed by the pixels around, others plain.

    A cell has the size of one token of the last stage: 32 pixels in all models that they trained.
    """
    window = 47 if isinstance(spec, SpecV2) else None
    return Masking(patch=math.lcm(*spec.strides[-1][-PLANE:]), target_window=window)
