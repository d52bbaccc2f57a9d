"""What stands in for a module's `forward`: native code where it can, the module's own forward elsewhere.

A module stays what it is, with its weights, its names and its class; only its attribute `forward` is set.
The plain path is the class's forward, and is taken whenever a call needs what native code does not give
(`refusals.py`); the first time, a line of the log says why.
"""

import logging
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from . import fallback as refusals
from .build import ready
from .library import Library
from .packed_module import Snapshot

logger = logging.getLogger(__name__)

Packed = TypeVar("Packed", bound=Snapshot)


class Native(ABC, Generic[Packed]):
    """The `forward` of `twin`, set by `attach`."""

    def __init__(self, twin: nn.Module):
        self.twin = twin
        self.packed: Packed | None = None
        self.told = set[str]()  # the refusals that were logged

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles pack their weights anew: structures hold addresses."""
        return self.__dict__ | {"packed": None}

    def attach(self) -> None:
        """Take the place of the twin's own forward."""
        self.twin.forward = self

    def __call__(self, x: Tensor) -> Tensor:
        """As the twin."""
        if torch.compiler.is_compiling():  # no log there, nor anything else that cannot be traced
            return type(self.twin).forward(self.twin, x)
        reason = refusals.of_call(x)
        if reason is None:
            packed = self.current()
            reason, engine = packed.refusal(x), ready()
            if reason is None and engine is not None:
                return self.run(engine, packed, x.contiguous())
        reason = reason or "it is not built for this machine (`swinkit optimize`)"
        if reason not in self.told:
            self.told.add(reason)
            logger.info("a %s runs without the engine: %s", type(self.twin).__name__, reason)
        return type(self.twin).forward(self.twin, x)

    def current(self) -> Packed:
        """The modules as they are; taken anew if they have changed."""
        packed = self.packed
        if packed is None or not packed.holds():
            packed = self.packed = self.pack()
        return packed

    @abstractmethod
    def pack(self) -> Packed:
        """The modules as they are now."""

    @abstractmethod
    def run(self, engine: Library, packed: Packed, x: Tensor) -> Tensor:
        """As the twin, natively; `x` is contiguous."""
