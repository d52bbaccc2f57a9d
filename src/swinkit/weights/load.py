"""Weights into a model and out of it, with every tensor accounted for."""

import logging
from collections.abc import Mapping

from torch import Tensor, nn

from ..core.backbone import Swin
from ..core.position import LearnedBias
from ..core.spec import Size
from ..errors import DataError, UsageError
from .dialect import Reading, listed
from .dialects import detect, dialect_named
from .infer import table_window
from .report import LoadReport
from .resize import resize_absolute, resize_table
from .rules import State

logger = logging.getLogger(__name__)

BACKBONE = "backbone."
ABSOLUTE = "backbone.position.embedding"


def load_weights(
    model: nn.Module, state: State, *, dialect: str | None = None, new_head: bool = False
) -> LoadReport:
    """Fill `model` from `state`, whose names may be any library's (`dialect` None: told from the names).

    `model` is a classifier (`backbone.`, `head.`), a `Pyramid` (`backbone.`, `norms.`) or a bare `Swin`.
    Parts of the file that the model does not have, such as a head for a bare Swin, are reported as unused.
    Bias tables of another window and absolute embeddings of another grid are resized and reported.
    With `new_head`, whatever of the head (or of a pyramid's norms) is missing or of another size keeps the
    model's own initialisation, and what fits is loaded. Parameters on the meta device take over the
    tensors of `state`, without a copy where nothing is converted. The report is also logged.

    Raises:
        DataError: a tensor is missing, unexpected or of another shape; the model is then as it was.
        UsageError: no such dialect, or a model that cannot be filled so.
    """
    strangers = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise DataError(f"not tensors: {listed(strangers)}; read files with swinkit.weights.files.read_state")
    backbone = backbone_of(model)
    chosen = dialect_named(dialect) if dialect else detect(state)
    reading = chosen.read(state, backbone.spec)
    current = canonical(model)
    fitted, resized, misshapen = fit(reading, current, windows_of(backbone))
    report = account(chosen.name, reading, current, resized, misshapen, new_head)
    if report.failed:
        raise DataError(
            f"these weights do not fit the model, which is left as it was\n{report}\n{advice(report)}"
        )
    fill(model, current | fitted)
    logger.info("%s", report)
    return report


def fill(model: nn.Module, state: State) -> None:
    """Give `model` a whole state in the names of `canonical`.

    Raises:
        UsageError: part of `state` is on the meta device, so that it holds no values.
    """
    empty = [name for name, tensor in state.items() if tensor.is_meta]
    if empty:
        raise UsageError(
            f"{listed(empty)} cannot keep an initialisation on the meta device; build the model on a real one"
        )
    prefix = BACKBONE if isinstance(model, Swin) else ""
    on_meta = any(parameter.is_meta for parameter in model.parameters())
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    model.load_state_dict(own, strict=True, assign=on_meta)


def export_weights(model: nn.Module, dialect: str) -> State:
    """The tensors of `model` under the names of `dialect`, with the buffers that its library insists on.

    They share memory with the model where nothing is converted.

    Raises:
        UsageError: no such dialect, or it has no place for some of the model's tensors.
    """
    return dialect_named(dialect).write(canonical(model), backbone_of(model).spec)


def backbone_of(model: nn.Module) -> Swin:
    """The Swin in `model`, or `model` itself.

    Raises:
        UsageError: there is none.
    """
    backbone = model if isinstance(model, Swin) else getattr(model, "backbone", None)
    if not isinstance(backbone, Swin):
        raise UsageError(f"a {type(model).__name__} is no Swin and has no Swin as its `backbone`")
    return backbone


def canonical(model: nn.Module) -> State:
    """The detached tensors of `model`, named as a classifier's or pyramid's."""
    prefix = BACKBONE if isinstance(model, Swin) else ""
    return {prefix + name: tensor.detach() for name, tensor in model.state_dict().items()}


def windows_of(backbone: Swin) -> dict[str, Size]:
    """The window of each bias table, by the table's name."""
    modules = backbone.named_modules(prefix="backbone")
    return {f"{name}.table": module.window for name, module in modules if isinstance(module, LearnedBias)}


def fit(
    reading: Reading, current: Mapping[str, Tensor], windows: Mapping[str, Size]
) -> tuple[State, dict[str, str], dict[str, str]]:
    """The tensors that fit, in the model's type and place; what was resized, how; what does not fit, why."""
    fitted: State = {}
    resized: dict[str, str] = {}
    misshapen: dict[str, str] = {}
    for name, have in current.items():
        tensor = reading.state.get(name)
        if tensor is None:
            continue
        if tensor.shape != have.shape:
            tensor, how = another_size(name, tensor, have, windows.get(name), reading.buffers)
            if how:
                resized[name] = how
        if tensor.shape != have.shape or tensor.is_floating_point() != have.is_floating_point():
            misshapen[name] = f"{described(tensor)} in the file, {described(have)} in the model"
        else:
            fitted[name] = tensor.to(have.dtype) if have.is_meta else tensor.to(have.device, have.dtype)
    return fitted, resized, misshapen


def another_size(
    name: str, tensor: Tensor, have: Tensor, window: Size | None, buffers: Mapping[str, Tensor]
) -> tuple[Tensor, str]:
    """The tensor for the model's window or grid, and how it was made; as it is and "" if there is no way."""
    if window is not None and len(window) == 2 and tensor.ndim == 2 and tensor.shape[1] == have.shape[1]:
        old = table_window(tensor, 2, buffers.get(name.removesuffix("table") + "index"))
        if old is not None:
            return resize_table(tensor, old, window), f"from window {old} to {window}, bicubic"
    if name == ABSOLUTE and tensor.ndim == have.ndim == 3 and tensor.shape[-1] == have.shape[-1]:
        old, new = tuple(tensor.shape[:-1]), tuple(have.shape[:-1])
        return resize_absolute(tensor, new), f"from grid {old} to {new}, bicubic"
    return tensor, ""


def account(
    dialect: str,
    reading: Reading,
    current: Mapping[str, Tensor],
    resized: dict[str, str],
    misshapen: dict[str, str],
    new_head: bool,
) -> LoadReport:
    """What became of every tensor of the file and of the model."""
    absent = {name: "not in the file" for name in current if name not in reading.state}
    kept = {
        name: why for name, why in (absent | misshapen).items() if new_head and not name.startswith(BACKBONE)
    }
    parts = {name.split(".")[0] for name in current}
    extra = [name for name in reading.state if name not in current]
    return LoadReport(
        dialect=dialect,
        loaded=len(current) - len(absent) - len(misshapen),
        renamed=reading.renamed,
        rebuilt=reading.rebuilt,
        resized=resized,
        reinitialised=kept,
        unused=(*reading.unused, *(name for name in extra if name.split(".")[0] not in parts)),
        missing=tuple(name for name in absent if name not in kept),
        unexpected=(*reading.unexplained, *(name for name in extra if name.split(".")[0] in parts)),
        misshapen={name: shapes for name, shapes in misshapen.items() if name not in kept},
    )


def advice(report: LoadReport) -> str:
    """What a user can do about a report that failed."""
    trouble = [*report.missing, *report.misshapen]
    if trouble and not report.unexpected and not any(name.startswith(BACKBONE) for name in trouble):
        return (
            "The backbone fits: pass new_head=True to keep the model's own head, "
            "or build the model with the file's number of classes."
        )
    return "Build the variant that the file holds, or name its dialect if another one was meant."


def described(tensor: Tensor) -> str:
    """Its shape, and its type if that is no floating-point one."""
    return f"{tuple(tensor.shape)}" + ("" if tensor.is_floating_point() else f" of {tensor.dtype}")
