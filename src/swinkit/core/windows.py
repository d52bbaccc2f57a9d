"""Where the windows of one feature grid lie: padding, shifting, masking.

Pure geometry over any number of axes; no weights. A layout depends only on the grid it is given, so
nothing in a model needs to know its input resolution. `borders.py` decides window and shift.

Shapes: B batch, *S grid size, W windows in the grid, N tokens in a window, C channels.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from .spec import Size
from .tiles import crop, pad, pad_to, round_up, tile, untile

MASKED = -100.0  # what the published models were trained with


@dataclass(frozen=True)
class WindowLayout(ABC):
    """One way of cutting a grid into windows, displaced by `shift` tokens."""

    grid: Size
    window: Size
    shift: Size

    @property
    @abstractmethod
    def padded(self) -> Size:
        """The grid, grown to whole windows."""

    @abstractmethod
    def arrange(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *padded, C): padded to whole windows and displaced by -shift."""

    @abstractmethod
    def restore(self, x: Tensor) -> Tensor:
        """(B, *padded, C) -> (B, *S, C). Inverse of `arrange`."""

    @property
    def counts(self) -> Size:
        """Windows along each axis."""
        return tuple(p // w for p, w in zip(self.padded, self.window, strict=True))

    @property
    def places(self) -> Tensor:
        """(W, N), on the CPU: which token of the grid, counted in its order, is there; -1 for padding."""
        numbers = torch.arange(1, math.prod(self.grid) + 1, device="cpu")
        return self.partition(numbers.view(1, *self.grid, 1))[0, :, :, 0] - 1

    def partition(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, W, N, C)."""
        n = len(self.grid)
        return tile(self.arrange(x), self.window).flatten(1 + n, 2 * n).flatten(1, n)

    def merge(self, x: Tensor) -> Tensor:
        """(B, W, N, C) -> (B, *S, C). Inverse of `partition`."""
        return self.restore(untile(x.unflatten(2, self.window).unflatten(1, self.counts)))


@dataclass(frozen=True)
class RolledLayout(WindowLayout):
    """What comes out at one end of the grid goes in at the other, and is masked there (attention)."""

    @property
    def padded(self) -> Size:
        """The grid, rounded up to whole windows."""
        return round_up(self.grid, self.window)

    @property
    def axes(self) -> Size:
        """The axes of (B, *S, C) that are the grid's."""
        return tuple(range(1, len(self.grid) + 1))

    def mask(self, device: torch.device | None = None) -> Tensor | None:
        """(W, N, N): `MASKED` for pairs that the roll made neighbours, else 0; None if nothing is shifted.

        Two tokens of a window may see each other iff they agree, on every axis, on whether the roll
        brought them round from the other end of the grid. (The published code paints nine regions for
        the same answer.)
        """
        if not any(self.shift):
            return None
        came_round = torch.zeros((), dtype=torch.long, device=device)
        for size, shift in zip(self.padded, self.shift, strict=True):
            bit = torch.arange(size, device=device) >= size - shift
            came_round = came_round.unsqueeze(-1) * 2 + bit  # one bit per axis
        n = len(self.grid)
        code = tile(came_round[None, ..., None], self.window)[0, ..., 0].flatten(n).flatten(0, n - 1)
        return MASKED * (code[:, :, None] != code[:, None, :]).float()


@dataclass(frozen=True)
class PadThenRoll(RolledLayout):
    """Every library but timm."""

    def arrange(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *padded, C)."""
        x = pad_to(x, self.padded)
        return torch.roll(x, tuple(-s for s in self.shift), self.axes) if any(self.shift) else x

    def restore(self, x: Tensor) -> Tensor:
        """(B, *padded, C) -> (B, *S, C)."""
        x = torch.roll(x, self.shift, self.axes) if any(self.shift) else x
        return crop(x, self.grid)


@dataclass(frozen=True)
class RollThenPad(RolledLayout):
    """As timm does it: where a grid needs padding, the mask no longer lies on the seam (docs/parity.md)."""

    def arrange(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *padded, C)."""
        x = torch.roll(x, tuple(-s for s in self.shift), self.axes) if any(self.shift) else x
        return pad_to(x, self.padded)

    def restore(self, x: Tensor) -> Tensor:
        """(B, *padded, C) -> (B, *S, C)."""
        x = crop(x, self.grid)
        return torch.roll(x, self.shift, self.axes) if any(self.shift) else x


@dataclass(frozen=True)
class PadToShift(WindowLayout):
    """Swin-MLP: zeros before the grid displace it, so each shifted axis has one window more, and no seam."""

    @property
    def before(self) -> Size:
        """The zeros that make the first window hold `shift` tokens."""
        return tuple(w - s if s else 0 for w, s in zip(self.window, self.shift, strict=True))

    @property
    def padded(self) -> Size:
        """Zeros and grid, rounded up to whole windows."""
        return round_up(tuple(b + g for b, g in zip(self.before, self.grid, strict=True)), self.window)

    def arrange(self, x: Tensor) -> Tensor:
        """(B, *S, C) -> (B, *padded, C)."""
        sizes = zip(self.padded, self.before, self.grid, strict=True)
        return pad(x, self.before, tuple(p - b - g for p, b, g in sizes))

    def restore(self, x: Tensor) -> Tensor:
        """(B, *padded, C) -> (B, *S, C)."""
        return crop(x, self.grid, self.before)
