"""Buffers of other libraries that follow from a window but are saved as if they were weights.

This package stores none of them. They are rebuilt where a library requires them in a file, and read only to
recover the windows that a file's parameters leave open.

Shapes: *w window, N = prod(w) tokens in a window, n axes.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.spec import Size, Spec
from ..models.families import SpecContinuous
from .rules import Move, Pattern, unchanged

BLOCK = Pattern("backbone.stages.{i}.blocks.{j}.norm1.weight")
Build = Callable[[Spec, int], Tensor | None]


@dataclass(frozen=True)
class Buffer:
    """Buffer `theirs`, read under the name `ours`; `build(spec, stage)` makes it for writing.

    `build` is None where the library saves no such buffer, or where it depends on a resolution that no
    model of ours knows (`attn_mask`, which its library makes itself).
    """

    theirs: str
    ours: str
    build: Build | None = None

    def apply(self, names: Collection[str]) -> list[Move]:
        """Plan the reading of those of their `names` that are this buffer."""
        found = [(name, Pattern(self.theirs).match(name)) for name in names]
        return [Move((name,), (Pattern(self.ours).fill(v),), unchanged) for name, v in found if v is not None]

    def rebuild(self, names: Collection[str], spec: Spec) -> Iterator[tuple[str, Tensor]]:
        """Build the buffer of every block among our `names`, under their names."""
        for name in names:
            values = BLOCK.match(name)
            if values is not None and self.build is not None:
                tensor = self.build(spec, int(values["i"]))
                if tensor is not None:
                    yield Pattern(self.theirs).fill(values), tensor


def relative_index(window: Size) -> Tensor:
    """Return the rows of the bias table: (N, N) int64, for query i and key j the row of their offset."""
    return rows(window)[:, None] - rows(window)[None, :] + int(rows(window)[-1])


def rows(window: Size) -> Tensor:
    """Return the row number (N,) of each token, as if the window were as wide as the table."""
    strides = [math.prod(2 * w - 1 for w in window[axis + 1 :]) for axis in range(len(window))]
    places = torch.meshgrid(*[torch.arange(w) for w in window], indexing="ij")
    return torch.stack([p * s for p, s in zip(places, strides, strict=True)]).sum(0).flatten()


def window_of_index(index: Tensor, axes: int) -> Size | None:
    """Return the window whose `relative_index` (N, N), or flattened, this is; None if there is none.

    A window one token wide along an axis has the same index as its transpose; the first is given.
    """
    tokens = math.isqrt(index.numel())
    first = index.flatten()[:tokens]
    for window in factorisations(tokens, axes):
        if torch.equal(first, rows(window)[-1] - rows(window)):
            return window
    return None


def factorisations(number: int, axes: int) -> Iterator[Size]:
    """Yield every way of writing `number` as an ordered product of `axes` factors."""
    if axes == 1:
        yield (number,)
        return
    for factor in range(1, number + 1):
        if number % factor == 0:
            yield from ((factor, *rest) for rest in factorisations(number // factor, axes - 1))


def log_coordinates(window: Size, reference: Size) -> Tensor:
    """Return V2's log-spaced offsets (1, *(2 * w - 1), n) float32, computed in the published order.

    The published code divides by zero where a window is one token; here the only offset, 0, stays 0.
    """
    axes = [
        torch.arange(1 - w, w, dtype=torch.float32) / max(r - 1, 1)
        for w, r in zip(window, reference, strict=True)
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)[None] * 8
    return torch.sign(offsets) * torch.log2(torch.abs(offsets) + 1.0) / 3.0


def windows_of_coordinates(table: Tensor) -> tuple[Size, Size]:
    """Recover the window, and the pre-training window that is the unit, from (1, *(2 * w - 1), n).

    A window of one token leaves its reference open; it is then its own.
    """
    window = tuple((size + 1) // 2 for size in table.shape[1:-1])
    reference = []
    for axis, w in enumerate(window):
        largest = float(table[..., axis].float().max())
        reference.append(1 + round(8 * (w - 1) / (2 ** (3 * largest) - 1)) if w > 1 and largest > 0 else w)
    return window, tuple(reference)


def square_index(spec: Spec, stage: int) -> Tensor:
    """Build the index (N, N), as most libraries save it."""
    return relative_index(spec.window_sizes[stage])


def flat_index(spec: Spec, stage: int) -> Tensor:
    """Build the index (N * N,), as torchvision saves it for images."""
    return square_index(spec, stage).flatten()


def coordinates(spec: Spec, stage: int) -> Tensor | None:
    """Build the coordinates (1, *(2 * w - 1), n) of a V2 or Swin-MoE; None for others."""
    if not isinstance(spec, SpecContinuous):
        return None
    return log_coordinates(spec.window_sizes[stage], spec.reference_windows[stage])
