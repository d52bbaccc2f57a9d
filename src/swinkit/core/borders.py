"""Border policies: what a window does where the grid is too small for it or no multiple of it.

All agree on grids that divide evenly and are larger than the window. At the borders the published
libraries differ, and a checkpoint answers right only under the policy it was trained with.
A policy maps (grid, window, shift) to a `WindowLayout`: a rolled one for attention, a padded one for
Swin-MLP's mixing, whose weights fix the window, so that shifts alone are left to decide.
"""

from collections.abc import Callable

from .spec import Size
from .windows import PadThenRoll, PadToShift, RolledLayout, RollThenPad

Border = Callable[[Size, Size, Size], RolledLayout]
MixingBorder = Callable[[Size, Size, Size], PadToShift]


def clip(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Along an axis that one window covers, shrink the window to it and do not shift.

    Video Swin's rule, right for every size.
    """
    return PadThenRoll(tuple(grid), *clipped(grid, window, shift))


def square(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """If one window covers any axis, windows shrink to the shortest axis on all, unshifted.

    The rule of Microsoft's classification code.
    """
    if any(g <= w for g, w in zip(grid, window, strict=True)):
        shortest = min(grid)
        return PadThenRoll(tuple(grid), tuple(min(shortest, w) for w in window), (0,) * len(grid))
    return PadThenRoll(tuple(grid), window, shift)


def pad(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Never shrink, always shift, pad with zeros (the detection and segmentation forks)."""
    return PadThenRoll(tuple(grid), window, shift)


def pad_unshifted(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Never shrink, pad with zeros; do not shift along an axis that one window covers (torchvision 2-D)."""
    return PadThenRoll(tuple(grid), window, clipped(grid, window, shift)[1])


def roll_first(grid: Size, window: Size, shift: Size) -> RolledLayout:
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


def unshift_axis(grid: Size, window: Size, shift: Size) -> PadToShift:
    """Swin-MLP's `clip`: do not shift along an axis that one window covers."""
    return PadToShift(tuple(grid), window, clipped(grid, window, shift)[1])


def unshift_all(grid: Size, window: Size, shift: Size) -> PadToShift:
    """Swin-MLP's `square`: if one window covers any axis, shift along none (Microsoft)."""
    return PadToShift(tuple(grid), window, square(grid, window, shift).shift)


MIXING_BORDERS: dict[str, MixingBorder] = {"clip": unshift_axis, "square": unshift_all}
