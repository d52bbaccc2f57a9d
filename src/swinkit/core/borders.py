"""Border policies: what a window does where the grid is too small for it or no multiple of it.

All agree on grids that divide evenly and are larger than the window. At the borders the published
libraries differ, and a checkpoint answers right only under the policy it was trained with.
A policy maps (grid, window, shift) to a `WindowLayout`.
"""

from collections.abc import Callable

from .spec import Size
from .windows import PadThenRoll, RollThenPad, WindowLayout

Border = Callable[[Size, Size, Size], WindowLayout]


def clip(grid: Size, window: Size, shift: Size) -> WindowLayout:
    """Along an axis that one window covers, shrink the window to it and do not shift.

    Video Swin's rule, right for every size.
    """
    return PadThenRoll(tuple(grid), *clipped(grid, window, shift))


def square(grid: Size, window: Size, shift: Size) -> WindowLayout:
    """If one window covers any axis, windows shrink to the shortest axis on all, unshifted.

    The rule of Microsoft's classification code.
    """
    if any(g <= w for g, w in zip(grid, window, strict=True)):
        shortest = min(grid)
        return PadThenRoll(tuple(grid), tuple(min(shortest, w) for w in window), (0,) * len(grid))
    return PadThenRoll(tuple(grid), window, shift)


def pad(grid: Size, window: Size, shift: Size) -> WindowLayout:
    """Never shrink, always shift, pad with zeros (the detection and segmentation forks)."""
    return PadThenRoll(tuple(grid), window, shift)


def pad_unshifted(grid: Size, window: Size, shift: Size) -> WindowLayout:
    """Never shrink, pad with zeros; do not shift along an axis that one window covers (torchvision 2-D)."""
    return PadThenRoll(tuple(grid), window, clipped(grid, window, shift)[1])


def roll_first(grid: Size, window: Size, shift: Size) -> WindowLayout:
    """As `clip`, but rolls before it pads (timm)."""
    return RollThenPad(tuple(grid), *clipped(grid, window, shift))


def clipped(grid: Size, window: Size, shift: Size) -> tuple[Size, Size]:
    """The window and shift left when an axis that one window covers takes the whole axis and no shift."""
    covered = [g <= w for g, w in zip(grid, window, strict=True)]
    return (
        tuple(g if c else w for g, w, c in zip(grid, window, covered, strict=True)),
        tuple(0 if c else s for s, c in zip(shift, covered, strict=True)),
    )


BORDERS: dict[str, Border] = {
    "clip": clip,
    "square": square,
    "pad": pad,
    "pad-unshifted": pad_unshifted,
    "roll-first": roll_first,
}
