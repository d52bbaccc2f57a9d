"""Blocks in native code.

Shapes: B batch, *S grid size, C channels.
"""

import ctypes
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.backbone import Stage
from ...core.block import Block
from ...core.spec import Size
from . import fallback, library
from .huge_pages import Pages
from .library import Library
from .native import NativeForward
from .packed_module import GRIDS, Snapshot
from .packing import Kept, offsets, packed_block
from .windows import Tables, tables


@dataclass(frozen=True)
class Prepared:
    """Blocks on one grid, and what they point to."""

    blocks: "ctypes.Array[library.Block]"
    kept: list[Tables | Tensor | Kept]


class PackedBlocks(Snapshot):
    """The weights of blocks, and where their windows lie on the grids that were met."""

    def __init__(self, twin: nn.Module):
        self.twin, self.blocks = twin, blocks_of(twin)
        super().__init__(twin, self.blocks)
        self.unknown = self.unknown or next(filter(None, map(fallback.of_block, self.blocks)), None)
        self.weights: list[tuple[library.Block, Kept]] | None = None
        self.offsets: dict[tuple[int, Size], Tensor] = {}  # of a block, in windows of this size

    def holds(self) -> bool:
        """Whether they are the same blocks, and as they were."""
        return blocks_of(self.twin) == self.blocks and super().holds()

    def takes(self, x: Tensor) -> bool:
        """Whether `x` is (B, *S, C)."""
        return all(
            x.ndim == len(attention_of(block).window) + 2 and x.shape[-1] == block.norm1.normalized_shape[0]
            for block in self.blocks
        )

    def prepare(self, engine: Library, grid: Size) -> Prepared:
        """The structures of all blocks on this grid."""
        if self.weights is None:
            pages = Pages()
            self.weights = [packed_block(block, engine.shape, pages) for block in self.blocks]
        if len({window for _, window in self.offsets}) > GRIDS:
            self.offsets.clear()
        structures = (library.Block * len(self.blocks))()
        kept: list[Tables | Tensor | Kept] = []
        for i, (block, (packed, weights)) in enumerate(zip(self.blocks, self.weights, strict=True)):
            attention = attention_of(block)
            layout = attention.border(grid, attention.window, attention.shift)
            table, bias = tables(layout, engine.shape.lanes), self.offsets.get((i, layout.window))
            if bias is None:
                bias = self.offsets[i, layout.window] = offsets(attention, layout.window, engine.shape)
            structures[i] = packed
            structures[i].layout = table.structure
            structures[i].attention.offsets = bias.data_ptr()
            kept += [weights, table, bias]
        return Prepared(structures, kept)


def blocks_of(twin: nn.Module) -> list[Block]:
    """Of a stage, or a block by itself."""
    return [cast("Block", block) for block in (twin.blocks if isinstance(twin, Stage) else (twin,))]


def attention_of(block: Block) -> WindowAttention:
    """Of a block that native code knows."""
    assert isinstance(block.token_mixer, WindowAttention)
    return block.token_mixer


class NativeBlocks(NativeForward[PackedBlocks]):
    """(B, *S, C) -> (B, *S, C): blocks in turn, in one go. The twin is their stage, or a single block."""

    def pack(self) -> PackedBlocks:
        """The blocks as they are now."""
        return PackedBlocks(self.module)

    def run(self, engine: Library, packed: PackedBlocks, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        prepared = packed.on_grid(engine, tuple(x.shape[1:-1]))  # held until native code is done with it
        return engine.run(prepared.blocks, x)
