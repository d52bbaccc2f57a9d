"""Stages whose answers differ under another library's borders, computed from a model's spec alone.

Shapes: *S grid of a stage.
"""

from ..core.borders import BORDERS, MIXING_BORDERS
from ..core.spec import Size, Spec, block_specs
from ..core.windows import WindowLayout
from ..models.counts import ceil_div
from ..models.families import SpecMLP


def differing_stages(spec: Spec, border: str, clipped_bias: str, size: Size) -> tuple[int, ...]:
    """Return the stages, from 1, in which a block gets other windows or another bias at `size` pixels."""
    known = MIXING_BORDERS if isinstance(spec, SpecMLP) else BORDERS
    grid, found = ceil_div(size, spec.patch), []
    for stage, row in enumerate(block_specs(spec)):
        own = [known[spec.border](grid, place.window, place.shift) for place in row]
        theirs = [known[border](grid, place.window, place.shift) for place in row]
        other_windows = not all(map(equal, own, theirs))
        # The published slice of an index is right where a window is cut along the first axis alone.
        other_bias = clipped_bias != spec.clipped_bias and any(
            layout.window[1:] != place.window[1:] for layout, place in zip(own, row, strict=True)
        )
        if other_windows or other_bias:
            found.append(stage + 1)
        grid = ceil_div(grid, spec.merge)
    return tuple(found)


def equal(one: WindowLayout, other: WindowLayout) -> bool:
    """Return whether two layouts join the same tokens.

    The order of rolling and padding matters only if both happen.
    """
    same_order = type(one) is type(other) or one.padded == one.grid or not any(one.shift)
    return (one.window, one.shift) == (other.window, other.shift) and same_order
