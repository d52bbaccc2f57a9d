"""Load weights into a model and export them, with every tensor accounted for."""

import logging
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from ..core.backbone import Swin
from ..core.position import LearnedBias
from ..core.spec import Size
from ..errors import DataError, UsageError, listed
from ..files.contents import State
from ..models.catalogue import variant_name
from .dialect import EMBED, Translation
from .dialect_table import detect, dialect_named
from .fit import Fitted, Ways, fit
from .report import LoadReport

logger = logging.getLogger(__name__)

BACKBONE = "backbone."


def load_weights(
    model: nn.Module,
    state: State,
    *,
    dialect: str | None = None,
    head: str = "same",
    tables: str | None = None,
    channels: str = "same",
) -> LoadReport:
    """Fill `model` from `state`, in the names of any library (`dialect` None: detected from the names).

    `model` is a bare `Swin` or has one as its `backbone`, beside a head of any kind. Parts that only the file
    has are reported as unused. `head`, `tables` (None: the dialect's own way) and `channels` say what is done
    to tensors of another size (see `Ways`); a picture's weights are inflated for a model of clips.

    Parameters on the meta device take over the tensors of `state`, in their precision and, where nothing is
    converted, without a copy.
    The report is also logged, and numbers that are not finite are warned of.

    Raises:
        DataError: a tensor is missing, unexpected or of another shape; the model is then as it was.
        UsageError: no such dialect or way, or a model that cannot be filled so.
    """
    require_tensors(state)
    backbone = backbone_of(model)
    chosen = dialect_named(dialect) if dialect else detect(state)
    translation = chosen.read(state, backbone.spec)
    current = canonical(model)
    ways = Ways(head=head, tables=chosen.tables if tables is None else tables, channels=channels)
    fitted = fit(translation, current, windows_of(backbone), ways)
    report = account(chosen.name, translation, current, fitted, head)
    if report.has_failed:
        logger.info("%s", report)
        name = variant_name(backbone.spec) or "the model, which is left as it was"
        raise DataError(
            f"the weights do not fit {name}: {failure(report)}; {advice(report, translation.beside)}"
        )
    fill(model, current | fitted.state)
    logger.info("%s", report)
    if report.not_finite:
        logger.warning("NaN or infinity in %d tensors: %s", len(report.not_finite), listed(report.not_finite))
    return report


def require_tensors(state: State) -> None:
    """Raise DataError, with their names, if `state` holds anything but tensors."""
    strangers = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strangers:
        raise DataError(f"not tensors: {listed(strangers)}; read files with swinkit.files.tensors.read_state")


def fill(model: nn.Module, state: State) -> None:
    """Load a whole state in the names of `canonical` into `model`.

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
    """Return the tensors of `model` in the names of `dialect`, with the buffers its library requires.

    They share memory with the model where nothing is converted.

    Raises:
        UsageError: no such dialect, or it has no place for some of the model's tensors.
    """
    return dialect_named(dialect).write(canonical(model), backbone_of(model).spec)


def backbone_of(model: nn.Module) -> Swin:
    """Return the Swin in `model`, or `model` itself.

    Raises:
        UsageError: there is none.
    """
    backbone = model if isinstance(model, Swin) else getattr(model, "backbone", None)
    if not isinstance(backbone, Swin):
        raise UsageError(f"a {type(model).__name__} is no Swin and has no Swin as its `backbone`")
    return backbone


def canonical(model: nn.Module) -> State:
    """Return the detached tensors of `model`, named as a classifier's or pyramid's."""
    prefix = BACKBONE if isinstance(model, Swin) else ""
    return {prefix + name: tensor.detach() for name, tensor in model.state_dict().items()}


def windows_of(backbone: Swin) -> dict[str, Size]:
    """Return the window of each bias table, by the table's name."""
    modules = backbone.named_modules(prefix="backbone")
    return {f"{name}.table": module.window for name, module in modules if isinstance(module, LearnedBias)}


def account(dialect: str, translation: Translation, current: State, fitted: Fitted, head: str) -> LoadReport:
    """Build the report of what happened to every tensor of the file and of the model."""
    absent = {name: "not in the file" for name in current if name not in translation.state}
    unfit = absent | fitted.misshapen
    kept = {
        name: f"the model's own: {why}"
        for name, why in unfit.items()
        if head == "new" and not name.startswith(BACKBONE)
    }
    at_zero = fitted.changes.get("reinitialised", {})
    parts = {part_of(name) for name in current}
    extra = [name for name in translation.state if name not in current]
    left_out = translation.beside if head in ("new", "none") else ()
    return LoadReport(
        dialect=dialect,
        loaded=len(fitted.state) - len(at_zero),
        renamed=translation.renamed,
        rebuilt=translation.rebuilt,
        **fitted.changes | {"reinitialised": at_zero | kept},
        not_finite=tuple(name for name, tensor in fitted.state.items() if not tensor.isfinite().all()),
        unused=(*translation.unused, *left_out, *(name for name in extra if part_of(name) not in parts)),
        missing=tuple(name for name in absent if name not in kept),
        unexpected=(
            *(name for name in translation.unexplained if name not in left_out),
            *(name for name in extra if part_of(name) in parts),
        ),
        misshapen={name: shapes for name, shapes in fitted.misshapen.items() if name not in kept},
    )


def part_of(name: str) -> str:
    """Return the part of a model that a tensor belongs to; a model has a part whole or not at all."""
    first, *rest = name.split(".")
    return first if first == "backbone" or not rest else f"{first}.{rest[0]}"


def failure(report: LoadReport) -> str:
    """Format the number of tensors that failed, and the first of each kind."""
    misshapen = [f"{name} {shapes}" for name, shapes in report.misshapen.items()]
    kinds = (("of other shapes", misshapen), ("missing", report.missing), ("unexpected", report.unexpected))
    found = [(what, names) for what, names in kinds if names]
    return ", ".join(f"{len(names)} {what} ({first_of(names)})" for what, names in found)


def first_of(names: Sequence[str]) -> str:
    """Format the first of `names`, and mention that there are more."""
    return f"first: {listed(names[:1])}" if len(names) > 1 else listed(names)


def advice(report: LoadReport, beside: Collection[str]) -> str:
    """Return the remedy for a report that failed; `beside` are unknown names outside of the backbone."""
    trouble = [*report.missing, *report.misshapen]
    if report.unexpected and set(report.unexpected) <= set(beside) and not trouble:
        return (
            "the backbone fits, but swinkit has no such head: head='none' (--head none) loads the backbone "
            "alone, and head='new' with labels begins a classifier with it"
        )
    if trouble and not report.unexpected and not any(name.startswith(BACKBONE) for name in trouble):
        return (
            "the backbone fits: head='new' begins a new head, head='mapped' takes ImageNet-1k's classes "
            "out of 22k's"
        )
    if trouble == [EMBED] and not report.unexpected:
        return "all but the patch embedding fits: load_weights(..., channels='adapt') makes it fit"
    return "name the model (--variant, or variant=) or whose names they are (--from, or dialect=)"
