"""The layout of windows on one feature grid: padding, shifting, masking.

This is geometry over any number of axes, without weights. A layout depends only on the grid it is given, so
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
    """A way of cutting a grid into windows, displaced by `shift` tokens."""

    grid: Size
    window: Size
    shift: Size

    @property
    @abstractmethod
    def padded(self) -> Size:
        """The grid, grown to whole windows."""

    @abstractmethod
    def arrange(self, x: Tensor) -> Tensor:
        """Pad to whole windows and displace by -shift: (B, *S, C) -> (B, *padded, C)."""

    @abstractmethod
    def restore(self, x: Tensor) -> Tensor:
        """Undo `arrange`: (B, *padded, C) -> (B, *S, C)."""

    @property
    def counts(self) -> Size:
        """Number of windows along each axis."""
        return tuple(p // w for p, w in zip(self.padded, self.window, strict=True))

    @property
    def places(self) -> Tensor:
        """Number of the token at each place of each window, (W, N), on the CPU; -1 for padding."""
        numbers = torch.arange(1, math.prod(self.grid) + 1, device="cpu")
        return self.partition(numbers.view(1, *self.grid, 1))[0, :, :, 0] - 1

    def partition(self, x: Tensor) -> Tensor:
        """Cut a grid into windows: (B, *S, C) -> (B, W, N, C)."""
        n = len(self.grid)
        return tile(self.arrange(x), self.window).flatten(1 + n, 2 * n).flatten(1, n)

    def merge(self, x: Tensor) -> Tensor:
        """Join windows to a grid, as the inverse of `partition`: (B, W, N, C) -> (B, *S, C)."""
        return self.restore(untile(x.unflatten(2, self.window).unflatten(1, self.counts)))


@dataclass(frozen=True)
class RolledLayout(WindowLayout):
    """Layout of attention: tokens shifted out at one end come in at the other, and are masked there."""

    @property
    def padded(self) -> Size:
        """The grid, rounded up to whole windows."""
        return round_up(self.grid, self.window)

    @property
    def axes(self) -> Size:
        """The axes of the grid in (B, *S, C)."""
        return tuple(range(1, len(self.grid) + 1))

    def mask(self, device: torch.device | None = None) -> Tensor | None:
        """Return the mask, (W, N, N): `MASKED` for pairs that only the roll brought together, else 0.

        Two tokens of a window attend to each other only if, on every axis, the roll brought either both or
        none of them round from the other end of the grid. The published code paints nine regions for the same
        answer. Without a shift the mask is None.
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
    """Layout that pads before it rolls, as every library but timm does."""

    def arrange(self, x: Tensor) -> Tensor:
        """Arrange the grid: (B, *S, C) -> (B, *padded, C)."""
        x = pad_to(x, self.padded)
        return torch.roll(x, tuple(-s for s in self.shift), self.axes) if any(self.shift) else x

    def restore(self, x: Tensor) -> Tensor:
        """Restore the grid: (B, *padded, C) -> (B, *S, C)."""
        x = torch.roll(x, self.shift, self.axes) if any(self.shift) else x
        return crop(x, self.grid)


@dataclass(frozen=True)
class RollThenPad(RolledLayout):
    """Layout that rolls before it pads, as timm does; padding parts mask and seam (docs/parity.md)."""

    def arrange(self, x: Tensor) -> Tensor:
        """Arrange the grid: (B, *S, C) -> (B, *padded, C)."""
        x = torch.roll(x, tuple(-s for s in self.shift), self.axes) if any(self.shift) else x
        return pad_to(x, self.padded)

    def restore(self, x: Tensor) -> Tensor:
        """Restore the grid: (B, *padded, C) -> (B, *S, C)."""
        x = crop(x, self.grid)
        return torch.roll(x, self.shift, self.axes) if any(self.shift) else x


@dataclass(frozen=True)
class PadToShift(WindowLayout):
    """Layout of Swin-MLP: zeros before the grid displace it; shifted axes have one more window, no seam."""

    @property
    def before(self) -> Size:
        """The zeros that make the first window hold `shift` tokens."""
        return tuple(w - s if s else 0 for w, s in zip(self.window, self.shift, strict=True))

    @property
    def padded(self) -> Size:
        """Zeros and grid, rounded up to whole windows."""
        return round_up(tuple(b + g for b, g in zip(self.before, self.grid, strict=True)), self.window)

    def arrange(self, x: Tensor) -> Tensor:
        """Arrange the grid: (B, *S, C) -> (B, *padded, C)."""
        sizes = zip(self.padded, self.before, self.grid, strict=True)
        return pad(x, self.before, tuple(p - b - g for p, b, g in sizes))

    def restore(self, x: Tensor) -> Tensor:
        """Restore the grid: (B, *padded, C) -> (B, *S, C)."""
        return crop(x, self.grid, self.before)
