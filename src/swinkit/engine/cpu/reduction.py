"""Patch embedding and patch merging in native code, which make one row of several.

Shapes: B batch, *P size in pixels, *S grid size, C channels.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...core.fast.cache import TableCache
from ...core.patches import NormThenReduce, PatchEmbed, ReduceThenNorm, fold
from ...core.spec import Size
from ...core.tiles import channels_first, channels_last, pad_to, round_up
from . import fallback, library
from .library import NativeLibrary
from .native import NativeForward
from .packed_module import PackedModule
from .packing import pack_reduction


@TableCache
def merged_rows(grid: Size, factor: Size) -> tuple[Size, Tensor]:
    """Return the coarser grid and, for each of its rows, the rows of the finer grid, -1 for padding."""
    numbers = torch.arange(1, math.prod(grid) + 1, device="cpu").reshape(1, *grid, 1)
    rows = fold(numbers, factor)
    return tuple(rows.shape[1:-1]), rows.flatten(0, -2).int() - 1


@TableCache
def patch_runs(pixels: Size, channels: int, patch: Size) -> tuple[Size, Tensor]:
    """Return the grid and, for each patch, its runs of neighbouring pixels in the order of the weights."""
    last = pixels[-1] // patch[-1]
    count = channels * math.prod(pixels[:-1]) * last
    numbers = torch.arange(count, device="cpu").reshape(channels, *pixels[:-1], last)
    for axis, size in reversed(list(enumerate(patch[:-1], start=1))):
        numbers = numbers.unflatten(axis, (-1, size))
    axes = len(patch) - 1
    order = (*range(1, 2 * axes, 2), 2 * axes + 1, 0, *range(2, 2 * axes + 1, 2))
    runs = numbers.permute(order)
    return tuple(runs.shape[: axes + 1]), runs.flatten(axes + 1).flatten(0, axes).int().contiguous()


@dataclass(frozen=True)
class ReductionStructure:
    """The structure of a reduction for one input size, and the tensors that it points to."""

    reduction: library.Reduction
    size: Size
    tensors: list[Any]


class PackedReduction(PackedModule):
    """The packed weights of a patch embedding or merging, and the rows that become one."""

    def __init__(self, twin: nn.Module):
        super().__init__(twin, [twin])
        self.twin = twin
        self.unknown = self.unknown or fallback.check_reduction(twin)

    def can_take(self, x: Tensor) -> bool:
        """Return whether `x` is (B, in_channels, *P) or (B, *S, C)."""
        twin = self.twin
        if isinstance(twin, PatchEmbed):
            return x.ndim == len(twin.patch) + 2 and x.shape[1] == twin.proj.in_channels
        assert isinstance(twin, NormThenReduce | ReduceThenNorm)
        return x.ndim == len(twin.factor) + 2 and (
            x.shape[-1] * math.prod(twin.factor) == twin.reduction.in_features
        )

    def prepare(self, engine: NativeLibrary, grid: Size) -> ReductionStructure:
        """Build the structure for inputs of this size: weights, and the rows that become one."""
        twin = self.twin
        if isinstance(twin, PatchEmbed):
            size, table = patch_runs(grid, twin.proj.in_channels, twin.patch)
            after = twin.norm if isinstance(twin.norm, nn.LayerNorm) else None
            parts, channels = (None, twin.proj, after), twin.patch[-1]
        else:
            assert isinstance(twin, NormThenReduce | ReduceThenNorm)
            size, table = merged_rows(grid, twin.factor)
            first, last = (twin.norm, None) if isinstance(twin, NormThenReduce) else (None, twin.norm)
            parts, channels = (first, twin.reduction, last), twin.reduction.in_features // table.shape[1]
        reduction, tensors = pack_reduction(*parts, engine.shape)
        reduction.table, reduction.parts, reduction.channels = table.data_ptr(), table.shape[1], channels
        return ReductionStructure(reduction, size, [table, tensors])


class NativeReduction(NativeForward[PackedReduction]):
    """The `forward` of a `PatchEmbed`, a `NormThenReduce` or a `ReduceThenNorm`."""

    def pack(self) -> PackedReduction:
        """Pack the module as it is now."""
        return PackedReduction(self.module)

    def run(self, engine: NativeLibrary, packed: PackedReduction, x: Tensor) -> Tensor:
        """Run the reduction: (B, in_channels, *P) or (B, *S, C) -> the module's output."""
        module = self.module
        if isinstance(module, PatchEmbed):
            pixels = channels_last(x)
            padded = pad_to(pixels, round_up(tuple(pixels.shape[1:-1]), module.patch))
            x = channels_first(padded).contiguous()
            grid, columns = tuple(x.shape[2:]), module.proj.out_channels
        else:
            assert isinstance(module, NormThenReduce | ReduceThenNorm)
            grid, columns = tuple(x.shape[1:-1]), module.reduction.out_features
        prepared = packed.get_prepared(engine, grid)  # held until native code is done with it
        return engine.reduce(prepared.reduction, x, prepared.size, columns)
