"""What stands in for a module's `forward`: native code where it can, the module's own forward elsewhere.

A module stays what it is, with its weights, its names and its class; only its attribute `forward` is set.
The plain path is the class's forward, and is taken whenever a call needs what native code does not give
(`refusals.py`); the first time, a line of the log says why.

Shapes: B batch, *S grid size, C channels.
"""

import ctypes
import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.block import Block
from ...core.spec import Size
from . import library, refusals
from .build import ready
from .library import Library
from .packing import Kept, offsets, packed_block
from .pages import Pages
from .windows import Tables, tables

logger = logging.getLogger(__name__)

GRIDS = 8  # sizes of input for which structures are kept


class State:
    """The weights below some modules, as they were when they were packed."""

    def __init__(self, modules: Sequence[nn.Module]):
        self.modules = [inner for module in modules for inner in module.modules()]
        self.parameters = [p for module in modules for p in module.parameters()]
        self._slots = [
            (slots, name, value)
            for module in self.modules
            for slots in (module._parameters, module._modules)  # noqa: SLF001  `parameters()` takes too long
            for name, value in slots.items()
        ]
        self._versions = self.versions()

    def versions(self) -> list[tuple[int, int]]:
        """One for each weight; it changes with whatever is written to it."""
        counted = [p for p in self.parameters if not p.is_inference()]
        return [(p.data_ptr(), p._version) for p in counted]  # noqa: SLF001  torch has no public name for it

    def holds(self) -> bool:
        """Whether neither a weight nor a module was changed or replaced since."""
        return all(slots.get(name) is value for slots, name, value in self._slots) and (
            self.versions() == self._versions
        )


class Native(ABC):
    """The `forward` of `twin`, set by `attach`."""

    def __init__(self, twin: nn.Module, parts: Sequence[nn.Module]):
        self.twin = twin
        self.parts = parts  # what native code stands in for
        self._refused: set[str] = set()
        self._state: State | None = None
        self._unknown: str | None = None
        self._grids: OrderedDict[Size, Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles pack their weights anew: structures hold addresses."""
        return self.__dict__ | {"_state": None, "_grids": OrderedDict()}

    def attach(self) -> None:
        """Take the place of the twin's own forward."""
        self.twin.forward = self

    def __call__(self, x: Tensor) -> Tensor:
        """As the twin."""
        if torch.compiler.is_compiling():  # no log there, nor anything else that cannot be traced
            return type(self.twin).forward(self.twin, x)
        reason = self.refusal(x)
        engine = ready() if reason is None else None
        if engine is not None:
            return self.run(engine, x.contiguous())
        reason = reason or "it is not built for this machine (`swinkit optimize`)"
        if reason not in self._refused:
            self._refused.add(reason)
            logger.info("a %s runs without the engine: %s", type(self.twin).__name__, reason)
        return type(self.twin).forward(self.twin, x)

    def refusal(self, x: Tensor) -> str | None:
        """Why this call takes the plain path; weights that have changed are packed anew."""
        if reason := refusals.of_call(x):
            return reason
        if self._state is None or not self._state.holds():
            self._state = State(self.parts)
            self._unknown = self.unknown()
            self._grids.clear()
            self.forget()
        inside = (module for module in self._state.modules if module is not self.twin)
        return self._unknown or refusals.of_weights(self._state.parameters) or refusals.of_modules(inside)

    def on_grid(self, engine: Library, grid: Size) -> Any:
        """What `prepare` made for this grid; of the least recently used, it is made again."""
        made = self._grids.pop(grid, None) or self.prepare(engine, grid)
        self._grids[grid] = made
        if len(self._grids) > GRIDS:
            self._grids.popitem(last=False)
        return made

    @abstractmethod
    def unknown(self) -> str | None:
        """Why native code does not know the twin as it is built now, if it does not."""

    @abstractmethod
    def forget(self) -> None:
        """Drop whatever was made from the weights."""

    @abstractmethod
    def prepare(self, engine: Library, grid: Size) -> Any:
        """Structures for inputs of this size."""

    @abstractmethod
    def run(self, engine: Library, x: Tensor) -> Tensor:
        """As the twin, natively; `x` is contiguous."""


@dataclass(frozen=True)
class Prepared:
    """Blocks on one grid, and what they point to."""

    blocks: "ctypes.Array[library.Block]"
    kept: list[Tables | Tensor | Kept]


class NativeBlocks(Native):
    """(B, *S, C) -> (B, *S, C): blocks in turn, in one go. The twin is their stage, or a single block."""

    def __init__(self, twin: nn.Module, blocks: Sequence[Block]):
        super().__init__(twin, blocks)
        self.blocks = blocks
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Without what was packed."""
        return super().__getstate__() | {"_packed": None, "_offsets": {}}

    def unknown(self) -> str | None:
        """Why one of the blocks is unknown."""
        return next(filter(None, map(refusals.of_block, self.blocks)), None)

    def forget(self) -> None:
        """Drop packed weights."""
        self._packed: list[tuple[library.Block, Kept]] | None = None
        self._offsets: dict[tuple[int, Size], Tensor] = {}

    def prepare(self, engine: Library, grid: Size) -> Prepared:
        """The blocks' weights, and where their windows lie on this grid."""
        if self._packed is None:
            pages = Pages()
            self._packed = [packed_block(block, engine.shape, pages) for block in self.blocks]
        row = (library.Block * len(self.blocks))()
        kept: list[Tables | Tensor | Kept] = []
        for i, (block, (packed, weights)) in enumerate(zip(self.blocks, self._packed, strict=True)):
            attention = block.token_mixer
            assert isinstance(attention, WindowAttention)
            layout = attention.border(grid, attention.window, attention.shift)
            table = tables(layout, engine.shape.lanes)
            bias = self._offsets.get((i, layout.window))
            if bias is None:
                bias = self._offsets[i, layout.window] = offsets(attention, layout.window, engine.shape)
            row[i] = packed
            row[i].layout = table.structure
            row[i].attention.offsets = bias.data_ptr()
            kept += [weights, table, bias]
        if len({window for _, window in self._offsets}) > GRIDS:
            self._offsets.clear()
        return Prepared(row, kept)

    def run(self, engine: Library, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        return engine.run(self.on_grid(engine, tuple(x.shape[1:-1])).blocks, x)
