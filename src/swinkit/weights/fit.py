"""Change tensors of a file to the sizes of a model, in published ways only.

Shapes: K classes, C channels, I input channels, R offsets in a window, H heads.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.spec import Size
from ..data.imagenet import CLASSES_1K, MAPPABLE, rows_of_1k
from ..errors import DataError, UsageError
from ..files.contents import State
from .buffers import relative_index
from .dialect import EMBED, Translation
from .infer import table_window
from .resize import TABLES, inflate_embedding, inflate_table, resize_absolute, resize_table

ABSOLUTE = "backbone.position.embedding"
PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # in which models can run
CLASSIFIER = ("head.classifier.weight", "head.classifier.bias")
Changed = tuple[Tensor, dict[str, str]]  # a tensor, and what was done to it: a field of `LoadReport` -> how


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Changes that are allowed for tensors that do not fit.

    * `head`: "same", it must fit; "mapped", to 1,000 of ImageNet's 21,841 (or 21,842) classes; "new", a
      classifier of another number of classes begins at zero, and what else of a head (or of a pyramid's
      norms) is missing or of another size keeps the model's own initialisation; "none", everything beside
      the backbone is left out. With "new" and "none" a head of any kind may stand in the file.
    * `tables` of biases for another window: "bicubic", "geometric". Absolute embeddings are always bicubic.
    * `channels`: "same", or "adapt" to other input channels as timm does.
    """

    head: str
    tables: str
    channels: str

    def __post_init__(self) -> None:
        """Raise UsageError if a value is unknown."""
        known = {
            "head": ("same", "new", "mapped", "none"),
            "tables": tuple(TABLES),
            "channels": ("same", "adapt"),
        }
        for option, ways in known.items():
            value = getattr(self, option)
            if value not in ways:
                raise UsageError(f"{option} is {value!r}; it must be one of {', '.join(map(repr, ways))}")


@dataclass(frozen=True)
class Fitted:
    """Tensors that fit, the changes made to them, and the tensors that do not fit, each with the reason.

    In the model's type and place; for a model on the meta device in the file's type.
    """

    state: State = field(default_factory=dict)
    changes: dict[str, dict[str, str]] = field(default_factory=dict)  # field of `LoadReport` -> name -> how
    misshapen: dict[str, str] = field(default_factory=dict)


def fit(translation: Translation, current: State, windows: Mapping[str, Size], ways: Ways) -> Fitted:
    """Change the tensors of a file to the sizes of a model (`current`, with the windows of its tables).

    Raises:
        DataError: the file's model has other axes, and is not one of pictures to be inflated.
        UsageError: bias tables, or classes, for which no way is published.
    """
    theirs, ours = translation.state[EMBED].ndim - 2, current[EMBED].ndim - 2
    if theirs != ours and (theirs, ours) != (2, 3):
        raise DataError(
            f"the file's model has {theirs} axes and this one {ours}; only from 2 to 3 axes there is a way"
        )
    if ways.head == "mapped":
        require_mappable(translation.state, current)
    fitted = Fitted()
    for name, have in current.items():
        given = translation.state.get(name)
        if given is None:
            continue
        if name in windows:
            tensor, changes = fit_table(name, given, windows[name], translation, ways)
        else:
            tensor, changes = fit_other(name, given, have, ways)
        if tensor.shape != have.shape or tensor.is_floating_point() != have.is_floating_point():
            fitted.misshapen[name] = f"{describe(given)} in the file, {describe(have)} in the model"
            continue
        kept = have.is_meta and tensor.dtype in PRECISIONS
        fitted.state[name] = tensor if kept else place(tensor, have)
        for what, how in changes.items():
            fitted.changes.setdefault(what, {})[name] = how
    return fitted


def place(tensor: Tensor, have: Tensor) -> Tensor:
    """Return `tensor` in the type of `have`, and on its device unless that is meta."""
    return tensor.to(have.dtype) if have.is_meta else tensor.to(have.device, have.dtype)


def require_mappable(state: State, current: State) -> None:
    """Raise UsageError unless `state` is of `MAPPABLE` classes and the model (`current`) of 1,000."""
    bias = "head.classifier.bias"  # one number for each class
    theirs, ours = (tensors[bias].numel() if bias in tensors else 0 for tensors in (state, current))
    if theirs not in MAPPABLE or ours != CLASSES_1K:
        raise UsageError(
            f"head='mapped' is from {' or '.join(map(str, MAPPABLE))} classes to {CLASSES_1K}; "
            f"the file has {theirs} and the model {ours}"
        )


def fit_table(name: str, table: Tensor, window: Size, translation: Translation, ways: Ways) -> Changed:
    """Resize the table (R, H) to `window`; keep it where it fits, or where the file leaves its own open."""
    axes = translation.state[EMBED].ndim - 2
    index = translation.buffers.get(name.removesuffix("table") + "index")
    old = window_in_file(table, axes, window, index) if table.ndim == 2 else None
    if old is None or old == window:
        return table, {}
    way = "" if old == window[-axes:] else f", {ways.tables}"
    if (axes, len(window)) == (2, 3):
        how = f"from window {old} to {window}{way}"
        return inflate_table(table, old, window, ways.tables), {"inflated": how}
    return resize_table(table, old, window, ways.tables), {"resized": f"from window {old} to {window}{way}"}


def window_in_file(table: Tensor, axes: int, window: Size, index: Tensor | None) -> Size | None:
    """Return the window of a file's table; None if the file leaves it open.

    Its index decides; else the number of rows: `window` itself if it has as many, or a square, in three axes
    beside as many frames as `window` has.
    """
    rows = [2 * w - 1 for w in window]
    fits = axes == len(window) and table.shape[0] == math.prod(rows)
    if fits and (index is None or torch.equal(index.flatten(), relative_index(window).flatten())):
        return window
    if axes < 3 or index is not None:
        return table_window(table, axes, index)
    face, rest = divmod(table.shape[0], rows[0])
    side = math.isqrt(face)
    return None if rest or side**2 != face or side % 2 == 0 else (window[0], *((side + 1) // 2,) * 2)


def fit_other(name: str, tensor: Tensor, have: Tensor, ways: Ways) -> Changed:
    """Fit an absolute embedding, the patch embedding or a classifier; return any other tensor unchanged."""
    if tensor.shape == have.shape:
        return tensor, {}
    if name == ABSOLUTE and tensor.ndim == have.ndim == 3:
        old, new = tuple(tensor.shape[:-1]), tuple(have.shape[:-1])
        return resize_absolute(tensor, new), {"resized": f"from grid {old} to {new}, bicubic"}
    if name == EMBED:
        return fit_embedding(tensor, have, ways)
    if name in CLASSIFIER and tensor.ndim == have.ndim and tensor.shape[1:] == have.shape[1:]:
        return fit_classifier(tensor, have, ways)
    return tensor, {}


def fit_embedding(weight: Tensor, have: Tensor, ways: Ways) -> Changed:
    """Fit the patch embedding (C, I, *patch) to clips, and to other input channels where allowed."""
    changes = {}
    if (weight.ndim, have.ndim) == (4, 5):
        weight = inflate_embedding(weight, have.shape[2])
        changes["inflated"] = f"repeated over {have.shape[2]} frames"
    old, new = weight.shape[1], have.shape[1]
    if 0 < old != new and ways.channels == "adapt":
        weight = adapt_channels(weight, new)
        changes["adapted"] = f"from {old} input channels to {new}"
    return weight, changes


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """Change the input channels of (C, I, *patch); equal channels are embedded as before.

    As timm does it: summed for one channel; else repeated in turn and scaled by I / channels.
    """
    old = weight.shape[1]
    if channels == 1:
        return weight.sum(1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % old
    return weight[:, turns] * (old / channels)


def fit_classifier(tensor: Tensor, have: Tensor, ways: Ways) -> Changed:
    """Change the number of classes of (K, ...): choose among those of the file, or begin at zero."""
    old, new = tensor.shape[0], have.shape[0]
    if ways.head == "mapped" and old in MAPPABLE and new == CLASSES_1K:
        rows = torch.tensor(rows_of_1k(), device=tensor.device)
        return tensor[rows], {"mapped": f"to {new} of {old} classes, by WordNet ids"}
    if ways.head == "new":
        return torch.zeros_like(have, device=tensor.device), {
            "reinitialised": f"at zero: {old} classes in the file, {new} in the model"
        }
    return tensor, {}


def describe(tensor: Tensor) -> str:
    """Describe the shape, and the type if it is not floating-point."""
    return f"{tuple(tensor.shape)}" + ("" if tensor.is_floating_point() else f" of {tensor.dtype}")
