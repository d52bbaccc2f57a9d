"""`swinkit convert SOURCE OUT --to LIBRARY`: carry any published Swin file elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import api
from ..exporting.convert import Conversion
from ..exporting.proof import Proof
from ..exporting.targets import TARGETS
from .arguments import parse, parser
from .console import line, note


def command(arguments: Sequence[str]) -> int:
    """Convert, and print what was written and how it was proved."""
    reader = parser(
        "convert", "Write a model in the layout of another library, and prove that it answers alike."
    )
    add = reader.add_argument
    add(
        "source",
        type=str,
        help="a file of weights of any library, a saved folder, a checkpoint's name or hf:org/name",
    )
    add(
        "out",
        type=Path,
        help="FILE.safetensors or FILE.pth; for transformers, timm and swinkit also a folder",
    )
    add("--to", type=str, required=True, help=f"{', '.join(TARGETS)}, or a dialect's own name")
    add("--from", type=str, default=None, help="whose names the file has, where two libraries' fit")
    add("--ranks", type=int, default=None, help="cut a Swin-MoE for so many processes (microsoft)")
    add("--entry", type=str, default=None, help="which weights of a training run, such as model_ema")
    add("--variant", type=str, default=None, help="the model's name, where the file does not tell what it is")
    add("--force", action="store_true", help="replace what an earlier conversion left at OUT")
    add("--no-check", action="store_true", help="do not compare the answers with the other library's")
    add("-n", "--dry-run", action="store_true", help="say what would be written, and write nothing")
    add("--json", action="store_true", help="print one JSON object instead")
    options = parse(reader, arguments)
    done = api.convert(
        options.source,
        options.out,
        to=options.to,
        variant=options.variant,
        entry=options.entry,
        dialect=options["from"],
        ranks=options.ranks,
        force=options.force,
        check=not options.no_check,
        dry_run=options.dry_run,
    )
    if options.json:
        line(json.dumps(as_json(done)))
        return 0
    line(headline(done))
    line(f"  {proved(done.proof)}")
    for warning in done.warnings:
        note(f"  warning: {warning}")
    return 0


def headline(done: Conversion) -> str:
    """What was written, or would be."""
    verb = "wrote" if done.written else "would write"
    size = "x".join(map(str, done.size))
    millions = done.parameters / 1e6
    return (
        f"{verb} {done.out}: {done.tensors} tensors in the names of {done.dialect}, "
        f"{millions:.1f} M parameters, for {size} pixels"
    )


def proved(proof: Proof | str) -> str:
    """How the answers were compared, in one line."""
    if isinstance(proof, str):
        return proof
    how = "equal bit for bit" if proof.difference == 0 else f"differ by {proof.difference:.1e} at most"
    size = "x".join(map(str, proof.size))
    return f"answers {how} (of answers up to {proof.largest:.2g}; {proof.against}; random {size} pixels)"


def as_json(done: Conversion) -> dict[str, Any]:
    """The same for programs; `check` is null where nothing was compared, and `note` says why."""
    proof = done.proof
    compared = None
    if isinstance(proof, Proof):
        compared = {
            "against": proof.against,
            "pixels": list(proof.size),
            "difference": proof.difference,
            "largest": proof.largest,
        }
    return {
        "out": str(done.out),
        "dialect": done.dialect,
        "tensors": done.tensors,
        "parameters": done.parameters,
        "pixels": list(done.size),
        "written": done.written,
        "check": compared,
        "note": None if compared else proof,
        "warnings": list(done.warnings),
    }
