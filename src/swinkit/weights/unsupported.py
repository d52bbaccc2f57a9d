"""Specs that the models of another library cannot have, so that a conversion is refused before writing.

A `Limit` returns the reason, or None if there is none. The limits at the end are for whole libraries, as
their constructors are; a test shows each reason to be true wherever the library is installed.

Shapes: *w window, *S grid of the first stage.
"""

from collections.abc import Callable, Sequence

from ..core.spec import Size, Spec
from ..models.config import family_of
from ..models.families import SpecContinuous

Limit = Callable[[Spec], str | None]

FAMILIES = {
    "v1": "Swin V1",
    "v2": "Swin V2",
    "v2-cr": "V2-CR (timm's swinv2_cr)",
    "mlp": "Swin-MLP",
    "moe": "Swin-MoE",
    "video": "Video Swin",
}
FIXED = {  # reason where a library has no argument for a field
    "absolute_grid": "it has no absolute position embedding",
    "qk_scale": "it scales scores by the width of a head alone",
    "qkv_bias": "its q, k and v always have a bias",
    "patch_norm": "it always norms the embedded patches",
    "in_channels": "its pictures have three channels",
    "norm_every": "it has no extra norms on the main branch",
    "merge": "it merges patches in one way only",
}


def anything(spec: Spec) -> str | None:  # noqa: ARG001  the limit of a library that has none
    """Accept every spec."""
    return None


def first_of(*limits: Limit) -> Limit:
    """Return a limit that gives the first reason of several."""
    return lambda spec: next((reason for limit in limits if (reason := limit(spec))), None)


def only(*families: str) -> Limit:
    """Refuse all but these families."""

    def limit(spec: Spec) -> str | None:
        family = family_of(spec)
        return None if family in families else f"it has no {FAMILIES[family]}"

    return limit


def only_with(**values: object) -> Limit:
    """Refuse values of fields for which the constructor has no argument."""

    def limit(spec: Spec) -> str | None:
        for field, value in values.items():
            actual = getattr(spec, field, value)
            if actual != value:
                return f"{FIXED[field]}, and this model has {field}={actual!r}"
        return None

    return limit


def one_window(spec: Spec) -> str | None:
    """Refuse stages with different windows."""
    if len(set(spec.window_sizes)) == 1:
        return None
    return f"its stages share one window, and this model's are {window_text(spec.window_sizes)}"


def square_windows(spec: Spec) -> str | None:
    """Refuse windows that are not squares, those of pre-training too."""
    references = spec.reference_windows if isinstance(spec, SpecContinuous) else ()
    oblong = [window for window in (*spec.window_sizes, *references) if len(set(window)) > 1]
    return f"its windows are squares, and this model has one of {text(oblong[0])}" if oblong else None


def one_window_and_a_size(spec: Spec) -> str | None:
    """Refuse windows that do not follow from one window and the input size."""
    if follow(spec.window_sizes, smallest_grid(spec.window_sizes, spec.merge)):
        return None
    return (
        "its windows follow from one window and the size of its pictures, and no size gives "
        f"{window_text(spec.window_sizes)}"
    )


def windows_fit_positions(spec: Spec) -> str | None:
    """Refuse an absolute embedding whose grid does not give the windows."""
    if spec.absolute_grid is None or follow(spec.window_sizes, spec.absolute_grid):
        return None
    grid, windows = text(spec.absolute_grid), window_text(spec.window_sizes)
    return (
        f"its windows follow from the grid of the absolute embedding, {grid}, which does not give {windows}"
    )


def windows_of_pretraining(spec: Spec) -> str | None:
    """Refuse pre-training windows, because the library measures offsets in its own windows."""
    if not isinstance(spec, SpecContinuous) or spec.reference_windows == spec.window_sizes:
        return None
    references = window_text(spec.reference_windows)
    return f"it knows no window of pre-training, and this model measures its offsets in {references}"


def offsets_of_one_token(spec: Spec) -> str | None:
    """Refuse a window one token wide with a continuous bias: the library divides by zero there."""
    if isinstance(spec, SpecContinuous) and min(min(window) for window in spec.reference_windows) == 1:
        return "its offsets in a window of one token are 0 / 0, and this model has one"
    return None


def positions_of_v2(spec: Spec) -> str | None:
    """Refuse V2 with an absolute embedding, which there has one token too many."""
    if family_of(spec) == "v2" and spec.absolute_grid is not None:
        return "its V2 cannot add an absolute position embedding, which there has one token too many"
    return None


def follow(windows: Sequence[Size], grid: Size) -> bool:
    """Return whether each stage's window is the first one, or the shorter side of its grid if that is less.

    The published rule of Microsoft's classification code; *S is halved from stage to stage.
    """
    largest = max(window[0] for window in windows)
    sides = [min(largest, *(side // 2**stage for side in grid)) for stage in range(len(windows))]
    return [(side,) * len(grid) for side in sides] == list(windows)


def smallest_grid(windows: Sequence[Size], merge: Size) -> Size:
    """Return the smallest grid of the first stage on which no stage's window is wider than its grid."""
    return tuple(
        max(side * factor**stage for stage, side in enumerate(sides))
        for factor, *sides in zip(merge, *windows, strict=True)
    )


def text(size: Size) -> str:
    """Format a size."""
    return " x ".join(map(str, size))


def window_text(sizes: Sequence[Size]) -> str:
    """Format the windows of all stages, as one number each where they are squares."""
    squares = all(len(set(size)) == 1 for size in sizes)
    return ", ".join(str(size[0]) if squares else text(size) for size in sizes)


PICTURES = only_with(merge=(2, 2))
ALIKE = first_of(PICTURES, only_with(norm_every=None), square_windows)

MICROSOFT = first_of(only("v1", "v2", "mlp", "moe"), ALIKE, one_window_and_a_size, offsets_of_one_token)
SIMMIM = first_of(only("v1", "v2"), MICROSOFT)
TIMM = first_of(
    only("v1", "v2"),
    PICTURES,
    only_with(absolute_grid=None, qk_scale=None, patch_norm=True, norm_every=None),
)
TIMM_CR = first_of(only("v2-cr"), PICTURES)
TORCHVISION = first_of(
    only("v1", "v2"),
    PICTURES,
    only_with(
        in_channels=3, absolute_grid=None, qk_scale=None, qkv_bias=True, patch_norm=True, norm_every=None
    ),
    one_window,
    windows_of_pretraining,
    offsets_of_one_token,
)
TORCHVISION_3D = first_of(
    only("video"),
    only_with(merge=(1, 2, 2), absolute_grid=None, qk_scale=None, qkv_bias=True, patch_norm=True),
    one_window,
)
TRANSFORMERS = first_of(
    only("v1"), ALIKE, only_with(qk_scale=None, patch_norm=True), one_window, windows_fit_positions
)
TRANSFORMERS_V2 = first_of(
    only("v2"), ALIKE, only_with(patch_norm=True), positions_of_v2, one_window_and_a_size
)
OPENMMLAB = first_of(only("v1"), PICTURES, square_windows)
OPENMMLAB_V2 = first_of(only("v2"), PICTURES, square_windows)
DENSE = first_of(only("v1"), PICTURES, square_windows, one_window)  # mmdetection, mmsegmentation, detectron2
OPENMMLAB_VIDEO = first_of(only("video"), only_with(merge=(1, 2, 2), absolute_grid=None), one_window)
