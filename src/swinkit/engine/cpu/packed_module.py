"""Modules as they were when native code packed them, and what was made of them then.

A snapshot is never changed into another: whoever finds that it no longer holds takes a new one. So several
Python threads may call one model, and each keeps what it works with until its call is over.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from ...core.fast.torch_internals import version_of
from ...core.spec import Size
from . import fallback
from .library import Library

GRIDS = 8  # sizes of input for which structures are kept


class Snapshot(ABC):
    """Of `parts`, for which native code stands in by the `forward` of `twin`, which may be one of them."""

    def __init__(self, twin: nn.Module, parts: Sequence[nn.Module]):
        self.modules = [module for part in parts for module in part.modules()]
        self.parameters = [weight for part in parts for weight in part.parameters()]
        self.inside = [module for module in self.modules if module is not twin]
        places = [place for module in self.modules for place in places_of(module)]
        self.counts = [(place, len(place)) for place in places]
        self.entries = [(*entry, place) for place in places for entry in place.items() if counts(*entry)]
        self.versions = self.count_versions()
        self.unknown = fallback.of_forwards(self.inside)
        self.grids: OrderedDict[Size, Any] = OrderedDict()

    def count_versions(self) -> list[tuple[int, int | None]]:
        """One for each weight; it changes with whatever is written to it through torch."""
        counted = [p for p in self.parameters if not p.is_inference()]
        return [(p.data_ptr(), version_of(p)) for p in counted]

    def holds(self) -> bool:
        """Whether neither a weight nor a module nor a setting was changed, added or removed since."""
        return (
            all(len(place) == count for place, count in self.counts)
            and all(place.get(name) is value for name, value, place in self.entries)
            and self.count_versions() == self.versions
        )

    def refusal(self, x: Tensor) -> str | None:
        """Why native code must not answer for these modules, as they are now."""
        return (
            self.unknown
            or fallback.of_weights(self.parameters)
            or fallback.of_modules(self.inside)
            or (None if self.takes(x) else f"it is given a tensor of shape {tuple(x.shape)}")
        )

    def on_grid(self, engine: Library, grid: Size) -> Any:
        """What `prepare` made for this grid; of those that were used least lately, it is made again."""
        made = self.grids.pop(grid, None) or self.prepare(engine, grid)
        self.grids[grid] = made
        with suppress(KeyError):  # another thread dropped it
            while len(self.grids) > GRIDS:
                self.grids.popitem(last=False)
        return made

    @abstractmethod
    def takes(self, x: Tensor) -> bool:
        """Whether the modules take a tensor of such a shape."""

    @abstractmethod
    def prepare(self, engine: Library, grid: Size) -> Any:
        """Structures for inputs of this size, with all that they point to."""


def places_of(module: nn.Module) -> tuple[dict[str, Any], ...]:
    """Where a module keeps its weights, its parts and its settings."""
    return module._parameters, module._modules, vars(module)  # noqa: SLF001  `parameters()` takes too long


def counts(name: str, value: object) -> bool:
    """Whether what a module keeps under this name matters; its mode is asked for at every call."""
    return isinstance(value, Tensor | nn.Module) or not (name.startswith("_") or name == "training")
