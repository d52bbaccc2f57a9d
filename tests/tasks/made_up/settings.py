"""The recipe and the options of the made-up task. Torch-free."""

from dataclasses import dataclass
from typing import Annotated, Literal

from swinkit.settings.recipe import Recipe
from swinkit.tasks.options import Least, PredictOptions


@dataclass(frozen=True, kw_only=True)
class BoxRecipe(Recipe):
    task: Annotated[Literal["made-up"], "what is learned"] = "made-up"
    flip: Annotated[float, "chance of a horizontal flip"] = 0.5
    shorter: Annotated[int, "pixels of the shorter side"] = 32


@dataclass(frozen=True, kw_only=True)
class BoxOptions(PredictOptions):
    boxes: Annotated[int, "how many boxes for each picture", Least(1)] = 3
