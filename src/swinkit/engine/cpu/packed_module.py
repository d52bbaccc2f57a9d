"""State of modules at the time of packing, and the native structures built from it.

A packed module is never changed. If the modules have changed since, a new one is packed, so that several
Python threads may call one model and each keeps its own structures until its call is over.
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
from .library import NativeLibrary

GRIDS = 8  # sizes of input whose structures are cached


class PackedModule(ABC):
    """The state of `parts`, which native code runs for the forward of `twin`, one of them or their parent."""

    def __init__(self, twin: nn.Module, parts: Sequence[nn.Module]):
        self.modules = [module for part in parts for module in part.modules()]
        self.parameters = [weight for part in parts for weight in part.parameters()]
        self.inside = [module for module in self.modules if module is not twin]
        places = [place for module in self.modules for place in attributes_of(module)]
        self.counts = [(place, len(place)) for place in places]
        self.entries = [(*entry, place) for place in places for entry in place.items() if is_setting(*entry)]
        self.versions = self.count_versions()
        self.unknown = fallback.check_forwards(self.inside)
        self.grids: OrderedDict[Size, Any] = OrderedDict()

    def count_versions(self) -> list[tuple[int, int | None]]:
        """Return every weight's address and version, which changes with every write through torch."""
        counted = [p for p in self.parameters if not p.is_inference()]
        return [(p.data_ptr(), version_of(p)) for p in counted]

    def is_current(self) -> bool:
        """Return whether no weight, module or setting was changed, added or removed since."""
        return (
            all(len(place) == count for place, count in self.counts)
            and all(place.get(name) is value for name, value, place in self.entries)
            and self.count_versions() == self.versions
        )

    def check_call(self, x: Tensor) -> str | None:
        """Return why native code cannot run these modules as they are now; None if it can."""
        return (
            self.unknown
            or fallback.check_weights(self.parameters)
            or fallback.check_modules(self.inside)
            or (None if self.can_take(x) else f"it is given a tensor of shape {tuple(x.shape)}")
        )

    def get_prepared(self, engine: NativeLibrary, grid: Size) -> Any:
        """Return the structures for this grid, prepared anew unless they are among the most recent."""
        made = self.grids.pop(grid, None) or self.prepare(engine, grid)
        self.grids[grid] = made
        with suppress(KeyError):  # another thread dropped it
            while len(self.grids) > GRIDS:
                self.grids.popitem(last=False)
        return made

    @abstractmethod
    def can_take(self, x: Tensor) -> bool:
        """Return whether the modules take a tensor of this shape."""

    @abstractmethod
    def prepare(self, engine: NativeLibrary, grid: Size) -> Any:
        """Build the structures for inputs of this size, with all tensors that they point to."""


def attributes_of(module: nn.Module) -> tuple[dict[str, Any], ...]:
    """Return the dictionaries in which a module keeps its weights, parts and settings."""
    return module._parameters, module._modules, vars(module)  # noqa: SLF001  `parameters()` takes too long


def is_setting(name: str, value: object) -> bool:
    """Return whether an attribute matters to native code; the mode is checked at every call."""
    return isinstance(value, Tensor | nn.Module) or not (name.startswith("_") or name == "training")
