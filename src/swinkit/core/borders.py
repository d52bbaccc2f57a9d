"""Border policies for grids that are smaller than a window or no multiple of it.

All policies agree on grids that divide evenly and are larger than the window. At the borders the published
libraries differ, and a checkpoint answers right only under the policy it was trained with.
A policy maps (grid, window, shift) to a `WindowLayout`: a rolled one for attention, a padded one for
Swin-MLP's mixing, whose weights fix the window, so that a policy decides about shifts only.
"""

from collections.abc import Callable

from .spec import Size
from .windows import PadThenRoll, PadToShift, RolledLayout, RollThenPad

Border = Callable[[Size, Size, Size], RolledLayout]
MixingBorder = Callable[[Size, Size, Size], PadToShift]


def clip(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Shrink the window to an axis that it covers, and do not shift along that axis.

    This is Video Swin's rule. It is right for every size.
    """
    return PadThenRoll(tuple(grid), *clip_axes(grid, window, shift))


def square(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Shrink windows to the shortest axis on all axes, unshifted, if one window covers any axis.

    This is the rule of Microsoft's classification code.
    """
    if any(g <= w for g, w in zip(grid, window, strict=True)):
        shortest = min(grid)
        return PadThenRoll(tuple(grid), tuple(min(shortest, w) for w in window), (0,) * len(grid))
    return PadThenRoll(tuple(grid), window, shift)


def pad(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Pad with zeros; never shrink, and always shift (the detection and segmentation forks)."""
    return PadThenRoll(tuple(grid), window, shift)


def pad_unshifted(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Pad with zeros; never shrink, nor shift along an axis that one window covers (torchvision 2-D)."""
    return PadThenRoll(tuple(grid), window, clip_axes(grid, window, shift)[1])


def roll_first(grid: Size, window: Size, shift: Size) -> RolledLayout:
    """Shrink and shift as `clip` does, but roll before padding (timm)."""
    return RollThenPad(tuple(grid), *clip_axes(grid, window, shift))


def clip_axes(grid: Size, window: Size, shift: Size) -> tuple[Size, Size]:
    """Shrink the window to each axis that it covers, without a shift there; return window and shift."""
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
    """Do not shift along an axis that one window covers: Swin-MLP's `clip`."""
    return PadToShift(tuple(grid), window, clip_axes(grid, window, shift)[1])


def unshift_all(grid: Size, window: Size, shift: Size) -> PadToShift:
    """Do not shift along any axis if one window covers one of them: Swin-MLP's `square` (Microsoft)."""
    return PadToShift(tuple(grid), window, square(grid, window, shift).shift)


MIXING_BORDERS: dict[str, MixingBorder] = {"clip": unshift_axis, "square": unshift_all}
