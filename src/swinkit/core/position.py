"""Position: what a query-key pair gains from where its tokens lie, and what a token gains from its own place.

Every offset between two tokens of a window has a row of scores, one per head. V1 learns the rows, V2
computes them; spreading the rows over all pairs is common to both. Nothing is stored that is not
learned: offsets lie in the order of the grid, so pairs are strided views of the rows and need no index.

Shapes: *w window, N = prod(w) tokens in a window, R = prod(2 * w - 1) offsets, H heads, *S grid size,
C channels.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fast.eager import runs_at_once
from .fast.weight_cache import Memo
from .spec import Size


def pairs(rows: Tensor) -> Tensor:
    """(*(2 * w - 1), H) -> (H, N, N): for query i and key j, the row at i - j + w - 1 of each axis."""
    n = rows.ndim - 1
    axes = tuple(range(n))
    rows = rows.flip(axes)  # so that, for one query, the keys' rows ascend
    for axis in axes:
        rows = rows.unfold(axis, (rows.shape[axis] + 1) // 2, 1)
    return rows.flip(axes).movedim(n, 0).flatten(n + 1).flatten(1, n)  # from (*query, H, *key)


class RelativeBias(nn.Module, ABC):
    """`bias(window) -> (H, N, N)`; the window may be smaller than the one built for."""

    @abstractmethod
    def forward(self, window: Size) -> Tensor:
        """What each pair of tokens of a window gains, per head."""


def middle(table: Tensor, full: Size, window: Size) -> Tensor:
    """(R, H) -> (H, N, N): a smaller window has the smaller offsets, the middle of the table."""
    rows = table.unflatten(0, tuple(2 * w - 1 for w in full))
    for axis, (f, w) in enumerate(zip(full, window, strict=True)):
        rows = rows.narrow(axis, f - w, 2 * w - 1)
    return pairs(rows)


def leading(table: Tensor, full: Size, window: Size) -> Tensor:
    """(R, H) -> (H, N, N): the first N tokens of the full window lend their biases.

    The rule of Video Swin and torchvision 3-D. Right only where time alone is clipped; else pairs get the
    bias of another offset. Kept to answer as the published code does (docs/parity.md).
    """
    tokens = math.prod(window)
    return middle(table, full, full)[:, :tokens, :tokens]


CLIPPED_BIAS: dict[str, Callable[[Tensor, Size, Size], Tensor]] = {"middle": middle, "leading": leading}


class LearnedBias(RelativeBias):
    """V1, Video: the rows are parameters (paper, section 3.2, "Relative position bias")."""

    def __init__(
        self, window: Size, num_heads: int, clipped: Callable[[Tensor, Size, Size], Tensor] = middle
    ):
        super().__init__()
        self.window = window
        self.clipped = clipped
        self.table = nn.Parameter(torch.empty(math.prod(2 * w - 1 for w in window), num_heads))

    def forward(self, window: Size) -> Tensor:
        """-> (H, N, N)."""
        return self.clipped(self.table, self.window, window)


class BiasOfMLP(RelativeBias):
    """The rows come from a small MLP over offsets, and are remembered for answers without gradients."""

    mlp: nn.Sequential

    def __init__(self) -> None:
        super().__init__()
        self.memo = Memo()

    @abstractmethod
    def rows(self, window: Size) -> Tensor:
        """-> (*(2 * w - 1), H)."""

    def forward(self, window: Size) -> Tensor:
        """-> (H, N, N)."""
        weights = list(self.mlp.parameters())
        if self.training:  # it may draw at random
            self.memo.forget()
        elif runs_at_once(weights[0].detach()):
            return pairs(self.memo(window, weights, partial(self.rows, window)))
        return pairs(self.rows(window))


class ContinuousBias(BiasOfMLP):
    """V2: the rows come from a small MLP over log-spaced offsets, so windows can grow.

    V2 paper, section 3.3. Offsets are measured in units of `reference`, the window of pre-training; the
    rows are squashed into (0, `bound`) in V2, and left as they are (None) in Swin-MoE.
    """

    def __init__(self, num_heads: int, *, reference: Size, bound: float | None):
        super().__init__()
        self.reference = reference
        self.bound = bound
        axes = len(reference)
        self.mlp = nn.Sequential(nn.Linear(axes, 512), nn.ReLU(), nn.Linear(512, num_heads, bias=False))

    def rows(self, window: Size) -> Tensor:
        """-> (*(2 * w - 1), H)."""
        rows = rows_of_mlp(self.mlp, partial(log_offsets, window, self.reference))
        return rows if self.bound is None else self.bound * rows.sigmoid()


class PrintedBias(BiasOfMLP):
    """timm's V2-CR: the rows come from a small MLP over log-spaced offsets as the V2 paper prints them.

    Made before the released code was known, so it differs: `printed_offsets`, 384 hidden channels of which
    an eighth is dropped in training, a bias in both layers, and rows that nothing bounds.
    """

    def __init__(self, num_heads: int, *, axes: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(axes, 384), nn.ReLU(), nn.Linear(384, num_heads))
        self.dropout = nn.Dropout(0.125)

    def rows(self, window: Size) -> Tensor:
        """-> (*(2 * w - 1), H)."""
        return rows_of_mlp(self.mlp, partial(printed_offsets, window), self.dropout)


def rows_of_mlp(
    mlp: nn.Sequential,
    offsets: Callable[[torch.device, torch.dtype], Tensor],
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """(*(2 * w - 1), axes) offsets -> (*(2 * w - 1), H), by an MLP of two layers.

    In at least fp32: half precision has too few digits for log-spaced coordinates.
    """
    first, last = cast("nn.Linear", mlp[0]), cast("nn.Linear", mlp[2])
    device, dtype = first.weight.device, torch.promote_types(first.weight.dtype, torch.float32)
    with outside_autocast(device):
        hidden = F.relu(linear(first, offsets(device, dtype)))
        return linear(last, hidden if dropout is None else dropout(hidden))


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """(..., C) -> (..., D): `layer` with its weights in the precision of `x`."""
    return F.linear(x, layer.weight.to(x.dtype), None if layer.bias is None else layer.bias.to(x.dtype))


def outside_autocast(device: torch.device) -> AbstractContextManager[object]:
    """No lowering of precision inside; the meta device knows no autocast to switch off."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def log_offsets(window: Size, reference: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(*(2 * w - 1), axes): every offset in units of the reference window, log-spaced.

    As released: sign(d) log2(1 + |8d|) / 3. The paper prints `printed_offsets`.
    """
    scales = [8 / max(r - 1, 1) for r in reference]  # a window of one token has offset 0 only
    offsets = grid_of_offsets(window, device, dtype) * torch.tensor(scales, device=device, dtype=dtype)
    return offsets.sign() * torch.log2(offsets.abs() + 1) / math.log2(8)


def printed_offsets(window: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(*(2 * w - 1), axes): every offset in tokens, log-spaced.

    As printed: sign(d) ln(1 + |d|) (V2 paper, eq. 4), so 1 and 2 give 0.6931 and 1.0986.
    """
    offsets = grid_of_offsets(window, device, dtype)
    return offsets.sign() * torch.log1p(offsets.abs())


def grid_of_offsets(window: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(*(2 * w - 1), axes): every offset between two tokens of a window, in tokens."""
    axes = [torch.arange(1 - w, w, device=device, dtype=dtype) for w in window]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


class AbsolutePosition(nn.Module):
    """(B, *S, C) -> (B, *S, C): adds a learned embedding of each place of the grid.

    The embedding keeps the grid it was trained on; on another grid it is resized bicubically, as the
    dense forks do (axis by axis, so that any number of axes works).
    """

    def __init__(self, grid: Size, dim: int):
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(*grid, dim))
        self.memo = Memo()

    def forward(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *S, C)."""
        size = tuple(x.shape[1:-1])
        if size == self.embedding.shape[:-1]:
            return x + self.embedding.to(x.dtype)
        make = partial(resize, self.embedding, size)
        embedding = self.memo(size, [self.embedding], make) if runs_at_once(x) else make()
        return x + embedding.to(x.dtype)


def resize(grid: Tensor, size: Size) -> Tensor:
    """(*S, C) -> (*size, C), bicubic (align_corners False, no antialias), one axis after the other.

    In at least fp32; where no axis changes, the very same values.
    """
    if tuple(grid.shape[:-1]) == tuple(size):
        return grid
    dtype = grid.dtype
    grid = grid.to(torch.promote_types(dtype, torch.float32))
    for axis, new in enumerate(size):
        if grid.shape[axis] != new:
            rows = grid.movedim(axis, -1)
            flat = rows.reshape(1, 1, -1, rows.shape[-1])
            flat = F.interpolate(flat, size=(flat.shape[2], new), mode="bicubic", align_corners=False)
            grid = flat.reshape(*rows.shape[:-1], new).movedim(-1, axis)
    return grid.to(dtype)
