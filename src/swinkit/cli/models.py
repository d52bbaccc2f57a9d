"""`swinkit models`: what can be built by name, and the published weights of it. Imports no torch."""

import json
import re
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from ..models.catalogue import find
from ..models.counts import num_macs, num_parameters
from ..models.specs import VARIANTS, Variant
from ..zoo.checkpoints import Checkpoint, of_variant
from ..zoo.places import is_cached
from .arguments import parse, parser
from .table import table

NONE = {"reported": {}, "licence": "-"}  # for a model of which nothing is published
FACTOR = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}
DESCRIPTION = """List the models that can be built by name; with a NAME, its published weights.

top-1: the best accuracy that is reported for any of its weights, in percent, and the licence of these.
weights: how many files are published; their names load them: `swinkit.load("swin-t/imagenet-1k")`."""


def command(arguments: Sequence[str]) -> int:
    """Print the variants that fit, or one variant's checkpoints."""
    reader = parser("models", DESCRIPTION)
    reader.add_argument("name", type=str, nargs="?", default=None, help="list the weights of this model")
    reader.add_argument("--task", type=str, default=None, help="only models for this task")
    reader.add_argument("--family", type=str, default=None, help=f"only this family: {', '.join(families())}")
    reader.add_argument(
        "--max-params", type=str, default=None, help="only models of at most so many parameters, such as 60M"
    )
    reader.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parse(reader, arguments)
    if options.name is not None:
        name, variant = find(options.name)
        weights = row(name, variant)["weights"]
        print(json.dumps(weights, indent=1) if options.json else table_of_weights(weights))
        return 0
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
    print(json.dumps(rows, indent=1) if options.json else table_of_models(rows))
    return 0


def families() -> list[str]:
    """All that there are."""
    return sorted({variant.family for variant in VARIANTS.values()})


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
        "weights": [weights(checkpoint) for checkpoint in of_variant(name)],
        "source": variant.source,
        "aliases": list(variant.aliases),
    }


def weights(checkpoint: Checkpoint) -> dict[str, Any]:
    """One checkpoint's facts, and whether it is on this machine."""
    return {**vars(checkpoint), "cached": is_cached(checkpoint)}


def table_of_models(rows: list[dict[str, Any]]) -> str:
    """A line a model."""
    head = ("name", "params", "GMACs", "input", "top-1", "licence", "weights")
    return table(head, [cells(row) for row in rows], right=("params", "GMACs", "top-1"))


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """One model's line."""
    files = row["weights"]
    here = sum(file["cached"] for file in files)
    best = max(files, key=lambda file: file["reported"].get("top1", 0), default=NONE)
    return (
        row["name"],
        f"{row['params'] / 1e6:.1f} M",
        f"{row['macs'] / 1e9:.2f}",
        "x".join(map(str, row["input"])),
        f"{best['reported']['top1']:.1f}" if "top1" in best["reported"] else "-",
        best["licence"],
        f"{len(files)}, {here} here" if here else str(len(files) or "-"),
    )


def table_of_weights(files: list[dict[str, Any]]) -> str:
    """A line a checkpoint."""
    lines = [
        (
            file["name"],
            ", ".join(f"{metric} {value:g}" for metric, value in file["reported"].items()) or "-",
            file["licence"],
            "yes" if file["cached"] else "-",
        )
        for file in files
    ]
    return table(("weights", "reported", "licence", "here"), lines)


def quantity(text: str) -> float:
    """A number such as 60M or 3B.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmbg]?)", text.lower())
    if match is None:
        raise UsageError(f"--max-params {text!r} is not a number such as 60M or 3B")
    return float(match[1]) * FACTOR[match[2]]
