"""The recipes by name."""

from collections.abc import Callable

from ..errors import UsageError
from ..models.catalogue import did_you_mean
from ..training.recipe import Recipe
from .tiny import cifar10_swin_pico

RECIPES: dict[str, Callable[[], Recipe]] = {"cifar10-swin-pico": cifar10_swin_pico}


def find(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        UsageError: there is none of this name; the message suggests the nearest.
    """
    if name not in RECIPES:
        raise UsageError(
            f"unknown recipe {name!r}{did_you_mean(name, list(RECIPES))} (known: {', '.join(RECIPES)})"
        )
    return RECIPES[name]()
