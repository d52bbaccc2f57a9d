"""The native forward of blocks: packed weights, and structures for each grid size.

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
from .huge_pages import HugePages
from .library import NativeLibrary
from .native import NativeForward
from .packed_module import GRIDS, PackedModule
from .packing import PackedTensors, pack_bias, pack_block
from .windows import WindowTables, window_tables


@dataclass(frozen=True)
class BlockStructures:
    """The structures of blocks on one grid, and the tensors that they point to."""

    blocks: "ctypes.Array[library.Block]"
    tensors: list[WindowTables | Tensor | PackedTensors]


class PackedBlocks(PackedModule):
    """The packed weights of blocks, and the layouts of their windows on recent grids."""

    def __init__(self, twin: nn.Module):
        self.twin, self.blocks = twin, blocks_of(twin)
        super().__init__(twin, self.blocks)
        self.unknown = self.unknown or next(filter(None, map(fallback.check_block, self.blocks)), None)
        self.weights: list[tuple[library.Block, PackedTensors]] | None = None
        self.offsets: dict[tuple[int, Size], Tensor] = {}  # of a block, in windows of this size

    def is_current(self) -> bool:
        """Return whether they are the same blocks, unchanged."""
        return blocks_of(self.twin) == self.blocks and super().is_current()

    def can_take(self, x: Tensor) -> bool:
        """Return whether `x` is (B, *S, C)."""
        return all(
            x.ndim == len(attention_of(block).window) + 2 and x.shape[-1] == block.norm1.normalized_shape[0]
            for block in self.blocks
        )

    def prepare(self, engine: NativeLibrary, grid: Size) -> BlockStructures:
        """Build the structures of all blocks on this grid."""
        if self.weights is None:
            pages = HugePages()
            self.weights = [pack_block(block, engine.shape, pages) for block in self.blocks]
        if len({window for _, window in self.offsets}) > GRIDS:
            self.offsets.clear()
        structures = (library.Block * len(self.blocks))()
        tensors: list[WindowTables | Tensor | PackedTensors] = []
        for i, (block, (packed, weights)) in enumerate(zip(self.blocks, self.weights, strict=True)):
            attention = attention_of(block)
            layout = attention.border(grid, attention.window, attention.shift)
            table, bias = window_tables(layout, engine.shape.lanes), self.offsets.get((i, layout.window))
            if bias is None:
                bias = self.offsets[i, layout.window] = pack_bias(attention, layout.window, engine.shape)
            structures[i] = packed
            structures[i].layout = table.structure
            structures[i].attention.offsets = bias.data_ptr()
            tensors += [weights, table, bias]
        return BlockStructures(structures, tensors)


def blocks_of(twin: nn.Module) -> list[Block]:
    """Return the blocks of a stage, or a block by itself."""
    return [cast("Block", block) for block in (twin.blocks if isinstance(twin, Stage) else (twin,))]


def attention_of(block: Block) -> WindowAttention:
    """Return the attention of a block that native code can run."""
    assert isinstance(block.token_mixer, WindowAttention)
    return block.token_mixer


class NativeBlocks(NativeForward[PackedBlocks]):
    """The forward of a stage, or of a single block, in one native call: (B, *S, C) -> (B, *S, C)."""

    def pack(self) -> PackedBlocks:
        """Pack the blocks as they are now."""
        return PackedBlocks(self.module)

    def run(self, engine: NativeLibrary, packed: PackedBlocks, x: Tensor) -> Tensor:
        """Run the blocks: (B, *S, C) -> (B, *S, C)."""
        prepared = packed.get_prepared(engine, tuple(x.shape[1:-1]))  # held until native code is done with it
        return engine.run(prepared.blocks, x)
