"""A `forward` in native code, for CPUs.

The module's own forward answers what native code cannot (`fallback.py`); the log says why, once.
"""

import logging
from abc import abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from ..forward import EngineForward
from . import fallback
from .build import find_library
from .library import NativeLibrary
from .packed_module import PackedModule

logger = logging.getLogger(__name__)

Packed = TypeVar("Packed", bound=PackedModule)


class NativeForward(EngineForward, Generic[Packed]):
    """A module's `forward` in native code, from weights that were packed for it."""

    def __init__(self, module: nn.Module):
        super().__init__(module)
        self.packed: Packed | None = None
        self.logged = set[str]()  # reasons for falling back

    def __getstate__(self) -> dict[str, Any]:
        """Leave the packed weights out of copies and pickles, because structures hold addresses."""
        return self.__dict__ | {"packed": None}

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the same as the module's class."""
        if torch.compiler.is_compiling():  # a log, among others, cannot be traced
            return self.plain(x)
        reason = fallback.check_call(x)
        if reason is None:
            packed = self.get_packed()
            reason, engine = packed.check_call(x), find_library()
            if reason is None and engine is not None:
                return self.run(engine, packed, x.contiguous())
        reason = reason or "it is not built for this machine (`swinkit optimize`)"
        if reason not in self.logged:
            self.logged.add(reason)
            logger.info("a %s runs without the engine: %s", type(self.module).__name__, reason)
        return self.plain(x)

    def get_packed(self) -> Packed:
        """Return the packed module, packed anew if the module has changed."""
        packed = self.packed
        if packed is None or not packed.is_current():
            packed = self.packed = self.pack()
        return packed

    @abstractmethod
    def pack(self) -> Packed:
        """Pack the module as it is now."""

    @abstractmethod
    def run(self, engine: NativeLibrary, packed: Packed, x: Tensor) -> Tensor:
        """Compute the forward natively; `x` is contiguous."""
