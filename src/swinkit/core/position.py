"""Relative position bias: a score added to each query-key pair, by the displacement between its tokens.

Every offset between two tokens of a window has a row of scores, one per head. V1 learns the rows, V2
computes them; spreading the rows over all pairs is common to both. Nothing is stored that is not
learned: offsets lie in the order of the grid, so pairs are strided views of the rows and need no index.

Shapes: *w window, N = prod(w) tokens in a window, R = prod(2 * w - 1) offsets, H heads.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    matrix_role: ClassVar[str] = "bias MLP"

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

    parameter_roles: ClassVar[Mapping[str, str]] = {"table": "table"}

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


class MLPBias(RelativeBias):
    """A bias whose rows are computed by a small MLP over offsets."""

    mlp: nn.Sequential

    @abstractmethod
    def rows(self, window: Size) -> Tensor:
        """Return the score of every offset, (*(2 * w - 1), H)."""

    def forward(self, window: Size) -> Tensor:
        """Return the bias of every pair of tokens, (H, N, N)."""
        return pairs(self.rows(window))


class ContinuousBias(MLPBias):
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


class PrintedBias(MLPBias):
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
