"""Whether timm can hold a model for pictures of one size, and answers to them as the model does here."""

from ..core.borders import BORDERS, roll_first
from ..core.spec import Size, Spec, places
from ..models.config import family_of
from ..models.counts import ceil_div
from .configs import uncut_size
from .limits import TIMM, TIMM_CR

TIMM_DIALECTS = {"v1": "timm", "v2": "timm", "v2-cr": "timm-cr"}


def timm_cannot(spec: Spec, size: Size) -> str | None:
    """Why timm has no model of `spec` for inputs of `size` pixels; None if it has."""
    reason = (TIMM_CR if family_of(spec) == "v2-cr" else TIMM)(spec)
    if reason is None and uncut_size(spec, size, one_window=False) != size:
        return f"it cuts windows to the grid, and some of {spec.window_sizes} are larger at {size} pixels"
    return reason


def answers_as_timm(spec: Spec, size: Size) -> bool:
    """Whether timm's border policy does on inputs of `size` pixels just what the spec's own does."""
    if any(pixels % stride for pixels, stride in zip(size, spec.strides[-1], strict=True)):
        return False
    grid = ceil_div(size, spec.patch)
    for row in places(spec):
        for place in row:
            ours, theirs = (
                cut(grid, place.window, place.shift) for cut in (BORDERS[spec.border], roll_first)
            )
            whole = not any(g % w for g, w in zip(grid, ours.window, strict=True))
            if not whole or (ours.window, ours.shift) != (theirs.window, theirs.shift):
                return False
        grid = ceil_div(grid, spec.merge)
    return True
