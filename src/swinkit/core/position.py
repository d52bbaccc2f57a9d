"""Relative position bias: a score added to each query-key pair, by the displacement between its tokens.

Every offset between two tokens of a window has a row of scores, one per head. V1 learns the rows, V2
computes them; both spread the rows over all pairs of tokens. No index is stored, because offsets are in the
order of the grid, so that pairs are strided views of the rows.

Shapes: *w window, N = prod(w) tokens in a window, R = prod(2 * w - 1) offsets, H heads.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from .precision import apply_layer, device_and_dtype_of
from .spec import Size


def pairs(rows: Tensor) -> Tensor:
    """Take, for query i and key j, the row at i - j + w - 1 of each axis: (*(2 * w - 1), H) -> (H, N, N)."""
    n = rows.ndim - 1
    axes = tuple(range(n))
    rows = rows.flip(axes)  # so that, for one query, the keys' rows ascend
    for axis in axes:
        rows = rows.unfold(axis, (rows.shape[axis] + 1) // 2, 1)
    return (
        rows.flip(axes).permute(n, *range(n), *range(n + 1, 2 * n + 1)).flatten(n + 1).flatten(1, n)
    )  # from (*query, H, *key)


class RelativeBias(nn.Module, ABC):
    """A relative position bias: `bias(window) -> (H, N, N)`, for smaller windows as well."""

    matrix_role: ClassVar[str] = "bias MLP"

    @abstractmethod
    def forward(self, window: Size) -> Tensor:
        """Return the score added to each pair of tokens of a window, (H, N, N)."""


def take_middle(table: Tensor, full: Size, window: Size) -> Tensor:
    """Take the middle of the table, where a smaller window has its offsets: (R, H) -> (H, N, N)."""
    rows = table.unflatten(0, tuple(2 * w - 1 for w in full))
    for axis, (f, w) in enumerate(zip(full, window, strict=True)):
        rows = rows.narrow(axis, f - w, 2 * w - 1)
    return pairs(rows)


def take_leading(table: Tensor, full: Size, window: Size) -> Tensor:
    """Take the biases of the first N tokens of the full window: (R, H) -> (H, N, N).

    This is the rule of Video Swin and torchvision 3-D. It is right only if time alone is clipped; otherwise
    pairs get the bias of another offset. It is here to answer as the published code does (docs/parity.md).
    """
    tokens = math.prod(window)
    return take_middle(table, full, full)[:, :tokens, :tokens]


CLIPPED_BIAS: dict[str, Callable[[Tensor, Size, Size], Tensor]] = {
    "middle": take_middle,
    "leading": take_leading,
}


class LearnedBias(RelativeBias):
    """Bias of V1 and Video, whose rows are parameters (paper, section 3.2, "Relative position bias")."""

    parameter_roles: ClassVar[Mapping[str, str]] = {"table": "table"}

    def __init__(
        self, window: Size, num_heads: int, clipped: Callable[[Tensor, Size, Size], Tensor] = take_middle
    ):
        super().__init__()
        self.window = window
        self.clipped = clipped
        self.table = nn.Parameter(torch.empty(math.prod(2 * w - 1 for w in window), num_heads))

    def forward(self, window: Size) -> Tensor:
        """Return the bias of every pair of tokens, (H, N, N)."""
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
    """Bias of V2, whose rows a small MLP computes from log-spaced offsets, so that windows can grow.

    V2 paper, section 3.3. Offsets are measured in units of `reference`, the window of pre-training. V2
    squashes the rows into (0, `bound`); Swin-MoE does not (None).
    """

    def __init__(self, num_heads: int, *, reference: Size, bound: float | None):
        super().__init__()
        self.reference = reference
        self.bound = bound
        axes = len(reference)
        self.mlp = nn.Sequential(nn.Linear(axes, 512), nn.ReLU(), nn.Linear(512, num_heads, bias=False))

    def rows(self, window: Size) -> Tensor:
        """Return the score of every offset, (*(2 * w - 1), H)."""
        rows = compute_rows(self.mlp, partial(log_offsets, window, self.reference))
        return rows if self.bound is None else self.bound * rows.sigmoid()


class PrintedBias(MLPBias):
    """Bias of timm's V2-CR, whose rows a small MLP computes from offsets as the V2 paper prints them.

    It was written before V2's code was released and differs from it: `printed_offsets`, 384 hidden channels
    with a dropout of an eighth, a bias in both layers, and unbounded rows.
    """

    def __init__(self, num_heads: int, *, axes: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(axes, 384), nn.ReLU(), nn.Linear(384, num_heads))
        self.dropout = nn.Dropout(0.125)

    def rows(self, window: Size) -> Tensor:
        """Return the score of every offset, (*(2 * w - 1), H)."""
        return compute_rows(self.mlp, partial(printed_offsets, window), self.dropout)


def compute_rows(
    mlp: nn.Sequential,
    offsets: Callable[[torch.device, torch.dtype], Tensor],
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Compute rows from offsets by an MLP of two layers: (*(2 * w - 1), axes) -> (*(2 * w - 1), H).

    It computes in at least fp32, because half precision has too few digits for log-spaced coordinates.
    """
    first, activation, last = mlp
    device, dtype = device_and_dtype_of(mlp)
    with disable_autocast(device):
        hidden = activation(apply_layer(first, offsets(device, torch.promote_types(dtype, torch.float32))))
        return apply_layer(last, hidden if dropout is None else dropout(hidden))


def disable_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast; the meta device has none to switch off."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def log_offsets(window: Size, reference: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return every offset in units of the reference window, log-spaced, (*(2 * w - 1), axes).

    As released: sign(d) log2(1 + |8d|) / 3. The paper prints `printed_offsets`.
    """
    scales = [8 / max(r - 1, 1) for r in reference]  # a window of one token has offset 0 only
    offsets = grid_of_offsets(window, device, dtype) * torch.tensor(scales, device=device, dtype=dtype)
    return offsets.sign() * torch.log2(offsets.abs() + 1) / math.log2(8)


def printed_offsets(window: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return every offset in tokens, log-spaced, (*(2 * w - 1), axes).

    As printed: sign(d) ln(1 + |d|) (V2 paper, eq. 4), so 1 and 2 give 0.6931 and 1.0986.
    """
    offsets = grid_of_offsets(window, device, dtype)
    return offsets.sign() * torch.log1p(offsets.abs())


def grid_of_offsets(window: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return every offset between two tokens of a window, in tokens, (*(2 * w - 1), axes)."""
    axes = [torch.arange(1 - w, w, device=device, dtype=dtype) for w in window]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
