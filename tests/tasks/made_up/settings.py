"""The recipe of the made-up task. Torch-free."""

from dataclasses import dataclass
from typing import Annotated, Literal

from swinkit.settings.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class BoxRecipe(Recipe):
    task: Annotated[Literal["made-up"], "what is learned"] = "made-up"
    flip: Annotated[float, "chance of a horizontal flip"] = 0.5
