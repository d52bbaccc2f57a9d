"""Conversion of a model to another library's layout, verified before the output takes its name."""

import os
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..core.spec import Size
from ..errors import DataError
from ..files.atomic import atomic_write
from ..files.contents import State
from ..files.folder import CONFIG, WEIGHTS
from ..tasks.serialization import write_model
from ..tasks.task import evaluating
from ..weights.agreement import differing_stages
from ..weights.configs import BARE, preprocessor_config, timm_config, uncut_size
from ..weights.dialect_table import dialect_named
from ..weights.ranks import write_ranks
from ..weights.unsupported import text
from .files import PROCESSOR, check_output, check_source, write_json, write_tensors
from .formats import require_form
from .source import Source, config_of
from .targets import Target, require_known_target, target_of
from .verify import Proof, proof_size, prove

CUT_BY_SIZE = ("microsoft", "timm", "transformers")  # libraries that cut windows to the size of the pictures
ONE_WINDOW = ("microsoft", "transformers")  # the libraries among them with one window for all stages


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Files of a conversion, and how they were verified.

    `proof` is a text where nothing could be, or should be, compared. `warnings` are lines about where answers
    will differ. `written` is False after a dry run.
    """

    out: Path
    dialect: str
    tensors: int
    parameters: int
    size: Size  # pixels per axis, that the model is for
    proof: Proof | str
    warnings: tuple[str, ...]
    written: bool


def check_request(
    source: str | os.PathLike[str] | None, out: Path, to: str, *, ranks: int | None = None, force: bool
) -> None:
    """Find mistakes that need no model, before a large one is read.

    Raises:
        UsageError: `to` is unknown, or `out` may not be written, or not under this name.
    """
    require_known_target(to)
    require_form(out, to, ranks)
    if source is not None:
        check_source(source, out)
    check_output(out, force=force)


def convert_model(
    model: nn.Module,
    out: Path,
    to: str,
    *,
    ranks: int | None = None,
    force: bool = False,
    check: bool = True,
    dry_run: bool = False,
) -> Conversion:
    """Write `model` as `out` in the layout of `to`, a library or a dialect.

    `ranks` makes a folder with the files of as many processes of a Swin-MoE.

    Raises:
        UsageError: `to` is unknown or cannot hold the model, with the reason, or `out` may not be written.
        DataError: the library does not answer as the model does; nothing is kept.
        EnvironmentProblem: `out` cannot be written.
    """
    source = Source.of(model)
    target = target_of(to, out, source, ranks)
    dialect = dialect_named(target.dialect)
    state = dialect.write(source.state, source.spec)
    check_output(out, force=force)
    one_window = target.dialect.startswith(ONE_WINDOW)
    cut = target.dialect.startswith(CUT_BY_SIZE)
    size = uncut_size(source.spec, source.size, one_window=one_window) if cut else source.size
    proof: Proof | str = "not checked: dry run" if dry_run else "not checked, as asked"
    if not dry_run:
        with atomic_write(out) as partial:
            write_output(partial, target, source, state, size, out.name)
            if check:
                with evaluating(model):
                    at = proof_size(source.spec, size, one_window=one_window)
                    proof = prove(source, target.dialect, partial, at)
                require_proof(proof, out)
    return Conversion(
        out=out,
        dialect=target.dialect,
        tensors=len(state),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        size=size,
        proof=proof,
        warnings=tuple(list_differences(source, target, size)),
        written=not dry_run,
    )


def write_output(path: Path, target: Target, source: Source, state: State, size: Size, name: str) -> None:
    """Write the file, or the folder of weights and of the settings that the library needs beside them.

    `name` begins the names of ranks' files.
    """
    if not target.is_folder:
        write_tensors(path, state, target.wrapper)
        return
    if target.dialect == "swinkit":
        write_model(source.model, path)
        return
    path.mkdir()
    if target.ranks is not None:
        write_ranks(state, path, name, target.ranks)
        return
    write_tensors(path / WEIGHTS, state)
    if target.dialect.startswith("timm"):
        write_json(path / CONFIG, timm_config(source.spec, size, source.labels, source.preprocess))
        return
    config = config_of(source, size)
    write_json(path / CONFIG, config)
    if source.preprocess is not None:
        write_json(path / PROCESSOR, preprocessor_config(source.preprocess))


def require_proof(proof: Proof | str, out: Path) -> None:
    """Raise DataError if a comparison failed."""
    if isinstance(proof, Proof) and not proof.holds:
        raise DataError(
            f"{out} is not kept: {proof.against} answers otherwise than this model, by "
            f"{proof.difference:.3g} of answers up to {proof.largest:.3g} at {text(proof.size)} pixels; "
            "please report this"
        )


def list_differences(source: Source, target: Target, size: Size) -> list[str]:
    """List where answers will differ, and which parts the output lacks."""
    dialect, spec, lines = dialect_named(target.dialect), source.spec, []
    if size != source.size:
        lines.append(
            f"its config says {text(size)} pixels: at {text(source.size)} its windows would be cut smaller "
            "than the weights"
        )
    stages = differing_stages(spec, dialect.border, dialect.clipped_bias, source.size)
    if stages:
        where = f"stage{'s' if len(stages) > 1 else ''} {', '.join(map(str, stages))}"
        lines.append(
            f"answers differ at {text(source.size)} pixels, from {where} on: windows that meet the border "
            f"of a grid are as {dialect.border!r} there and as {spec.border!r} here; see docs/parity.md"
        )
    elif dialect.border != spec.border:
        lines.append(
            f"answers agree at {text(source.size)} pixels, but can differ at sizes where windows meet the "
            f"border of a grid: {dialect.border!r} there, {spec.border!r} here; see docs/parity.md"
        )
    if source.kind == BARE and dialect.name not in ("swinkit", "microsoft"):
        lines.append("the source has no head, so neither has this")
    return lines
