"""`swinkit convert SOURCE OUT --to LIBRARY`: carry any published Swin file elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporting.formats import TARGETS
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse
from .console import line, note

if TYPE_CHECKING:
    from ..exporting.convert import Conversion
    from ..exporting.verify import Proof


def command(arguments: Sequence[str]) -> int:
    """Convert a model, and print the files written and the comparison of answers."""
    parser = Parser(
        "convert", "Write a model in the layout of another library, and prove that it answers alike."
    )
    add = parser.add_argument
    add("source", help=MODEL)
    add(
        "out",
        type=Value(Path),
        help="FILE.safetensors or FILE.pth; for transformers, timm and swinkit also a folder",
    )
    add(
        "--to",
        type=Value(str),
        metavar="NAME",
        required=True,
        help=f"{', '.join(TARGETS)}, or a dialect's own name",
    )
    add_model_options(add)
    add("--ranks", type=Value(int), metavar="N", help="cut a Swin-MoE for so many processes (microsoft)")
    add("--force", action="store_true", help="replace what an earlier conversion left at OUT")
    add("--no-check", action="store_true", help="do not compare the answers with the other library's")
    add("-n", "--dry-run", action="store_true", help="say what would be written, and write nothing")
    add("--json", action="store_true", help="print one JSON object instead")
    options = parse(parser, arguments)
    require_known_name(options.source)
    from .. import api

    done = api.convert(
        options.source,
        options.out,
        to=options.to,
        **model_options(options),
        ranks=options.ranks,
        force=options.force,
        check=not options.no_check,
        dry_run=options.dry_run,
    )
    if options.json:
        line(json.dumps(as_json(done)))
        return 0
    line(output_line(done))
    line(f"  {comparison_line(done.proof)}")
    for warning in done.warnings:
        note(f"  warning: {warning}")
    return 0


def output_line(done: "Conversion") -> str:
    """Return a line about the files that were written, or would be."""
    verb = "wrote" if done.written else "would write"
    size = "x".join(map(str, done.size))
    millions = done.parameters / 1e6
    return (
        f"{verb} {done.out}: {done.tensors} tensors in the names of {done.dialect}, "
        f"{millions:.1f} M parameters, for {size} pixels"
    )


def comparison_line(proof: "Proof | str") -> str:
    """Return a line about how the answers were compared."""
    if isinstance(proof, str):
        return proof
    how = "equal bit for bit" if proof.difference == 0 else f"differ by {proof.difference:.1e} at most"
    size = "x".join(map(str, proof.size))
    return f"answers {how} (of answers up to {proof.largest:.2g}; {proof.against}; random {size} pixels)"


def as_json(done: "Conversion") -> dict[str, Any]:
    """Return the same as JSON; `check` is null where nothing was compared, and `note` is the reason."""
    proof = done.proof
    compared = None
    if not isinstance(proof, str):
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
