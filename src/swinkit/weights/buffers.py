"""The harmless buffers of other libraries: tensors that follow from a window, saved as if they were weights.

We store none of them. They are rebuilt where a library insists on finding them in a file, and read only
to recover the windows that a file's parameters do not tell.

Shapes: *w window, N = prod(w) tokens in a window, n axes.
"""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.spec import Size, Spec
from ..models.families import Continuous
from .rules import Move, Pattern, unchanged

BLOCK = Pattern("backbone.stages.{i}.blocks.{j}.norm1.weight")
Build = Callable[[Spec, int], Tensor | None]


@dataclass(frozen=True)
class Buffer:
    """`theirs` is kept under the name `ours` while a file is read; `build(spec, stage)` makes it for writing.

    `build` is None where the library saves no such buffer, or where it depends on a resolution that no
    model of ours knows (`attn_mask`, which its library makes itself).
    """

    theirs: str
    ours: str
    build: Build | None = None

    def apply(self, names: Collection[str]) -> list[Move]:
        """The buffers among their `names`."""
        found = [(name, Pattern(self.theirs).match(name)) for name in names]
        return [Move((name,), (Pattern(self.ours).fill(v),), unchanged) for name, v in found if v is not None]

    def rebuild(self, names: Collection[str], spec: Spec) -> Iterator[tuple[str, Tensor]]:
        """The buffers of every block among our `names`, under their names."""
        for name in names:
            values = BLOCK.match(name)
            if values is not None and self.build is not None:
                tensor = self.build(spec, int(values["i"]))
                if tensor is not None:
                    yield Pattern(self.theirs).fill(values), tensor


def relative_index(window: Size) -> Tensor:
    """(N, N) int64: for query i and key j, the row of their offset in the table of biases."""
    return rows(window)[:, None] - rows(window)[None, :] + int(rows(window)[-1])


def rows(window: Size) -> Tensor:
    """(N,): each token's row number, were the window as wide as the table."""
    strides = [math.prod(2 * w - 1 for w in window[axis + 1 :]) for axis in range(len(window))]
    places = torch.meshgrid(*[torch.arange(w) for w in window], indexing="ij")
    return torch.stack([p * s for p, s in zip(places, strides, strict=True)]).sum(0).flatten()


def window_of_index(index: Tensor, axes: int) -> Size | None:
    """(N, N) or flattened -> the window whose `relative_index` it is; None if it is of no window.

    A window one token wide along an axis has the same index as its transpose; the first is given.
    """
    tokens = math.isqrt(index.numel())
    first = index.flatten()[:tokens]
    for window in factorisations(tokens, axes):
        if torch.equal(first, rows(window)[-1] - rows(window)):
            return window
    return None


def factorisations(number: int, axes: int) -> Iterator[Size]:
    """Every way of writing `number` as an ordered product of `axes` factors."""
    if axes == 1:
        yield (number,)
        return
    for factor in range(1, number + 1):
        if number % factor == 0:
            yield from ((factor, *rest) for rest in factorisations(number // factor, axes - 1))


def log_coordinates(window: Size, reference: Size) -> Tensor:
    """(1, *(2 * w - 1), n) float32: V2's log-spaced offsets, computed in the published order.

    The published code divides by zero where a window is one token; here the only offset, 0, stays 0.
    """
    axes = [
        torch.arange(1 - w, w, dtype=torch.float32) / max(r - 1, 1)
        for w, r in zip(window, reference, strict=True)
    ]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)[None] * 8
    return torch.sign(offsets) * torch.log2(torch.abs(offsets) + 1.0) / 3.0


def windows_of_coordinates(table: Tensor) -> tuple[Size, Size]:
    """(1, *(2 * w - 1), n) -> the window, and the reference window in whose units it measures.

    A window of one token tells nothing about its reference; it is then its own.
    """
    window = tuple((size + 1) // 2 for size in table.shape[1:-1])
    reference = []
    for axis, w in enumerate(window):
        largest = float(table[..., axis].float().max())
        reference.append(1 + round(8 * (w - 1) / (2 ** (3 * largest) - 1)) if w > 1 and largest > 0 else w)
    return window, tuple(reference)


def square_index(spec: Spec, stage: int) -> Tensor:
    """(N, N), as most save it."""
    return relative_index(spec.window_sizes[stage])


def flat_index(spec: Spec, stage: int) -> Tensor:
    """(N * N,), as torchvision saves it for pictures."""
    return square_index(spec, stage).flatten()


def coordinates(spec: Spec, stage: int) -> Tensor | None:
    """(1, *(2 * w - 1), n) of a V2 or Swin-MoE; None for others."""
    if not isinstance(spec, Continuous):
        return None
    return log_coordinates(spec.window_sizes[stage], spec.reference_windows[stage])
