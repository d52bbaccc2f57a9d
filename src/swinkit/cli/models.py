"""`swinkit models`: what can be built by name. Imports no torch."""

import json
import re
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from ..models.counts import num_macs, num_parameters
from ..models.specs import VARIANTS, Variant
from ..weights.checkpoints import EMBEDDED
from .arguments import parse, parser

FACTOR = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}


def command(arguments: Sequence[str]) -> int:
    """Print the variants that fit."""
    reader = parser("models", "List the models that can be built by name.")
    reader.add_argument("--task", type=str, default=None, help="only models for this task")
    reader.add_argument("--family", type=str, default=None, help="only this family: v1, v2 or video")
    reader.add_argument(
        "--max-params", type=str, default=None, help="only models of at most so many parameters, such as 60M"
    )
    reader.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parse(reader, arguments)
    rows = [row(name, variant) for name, variant in VARIANTS.items()]
    for key in ("task", "family"):
        wanted = getattr(options, key)
        known = sorted({value[key] for value in rows})
        if wanted is not None and wanted not in known:
            raise UsageError(f"no model has the {key} {wanted!r} (known: {', '.join(known)})")
        rows = [value for value in rows if wanted is None or value[key] == wanted]
    if options.max_params is not None:
        most = quantity(options.max_params)
        rows = [value for value in rows if value["params"] <= most]
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    return 0


def row(name: str, variant: Variant) -> dict[str, Any]:
    """One variant's facts; `params` with its usual classes, `macs` for one input of its usual size."""
    return {
        "name": name,
        "family": variant.family,
        "task": variant.task,
        "params": num_parameters(variant.spec, variant.num_classes),
        "macs": num_macs(variant.spec, variant.size, variant.num_classes),
        "input": list(variant.size),
        "num_classes": variant.num_classes,
        "weights": [checkpoint for checkpoint in EMBEDDED if checkpoint.split("/")[0] == name],
        "source": variant.source,
        "aliases": list(variant.aliases),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns; plain text, since a terminal may be narrow and a pipe wants whole lines."""
    head = ("name", "task", "params", "GMACs", "input", "weights")
    cells = [
        (
            r["name"],
            r["task"],
            f"{r['params'] / 1e6:.1f} M",
            f"{r['macs'] / 1e9:.2f}",
            "x".join(map(str, r["input"])),
            ", ".join(r["weights"]) or "-",
        )
        for r in rows
    ]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    right = (2, 3)  # numbers
    lines = [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *cells]
    ]
    return "\n".join(line.rstrip() for line in lines)


def quantity(text: str) -> float:
    """A number such as 60M or 3B.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmbg]?)", text.lower())
    if match is None:
        raise UsageError(f"--max-params {text!r} is not a number such as 60M or 3B")
    return float(match[1]) * FACTOR[match[2]]
