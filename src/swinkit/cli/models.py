"""`swinkit models`: the models that can be built by name, and their published weights. Imports no torch."""

import json
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from ..models.catalogue import canonical_name, find_variant
from ..models.counts import num_macs, num_parameters
from ..models.specs import VARIANTS, Variant
from ..zoo.checkpoints import Checkpoint, checkpoints_of, find_checkpoint
from ..zoo.paths import is_cached
from .arguments import Parser, Value, parse
from .console import table

NONE = {"reported": {}, "licence": "-"}  # stands for the checkpoint of a model without any
FACTOR = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}
FILTERS = ("task", "family", "max_params")
WIDTH = 100  # columns of lines that can be broken
DATASETS = {  # by how their names begin; accuracy on ImageNet-1k goes without saying
    "imagenet-22k-1k": "",
    "imagenet-1k": "",
    "imagenet-22k": "IN-22k",
    "cifar-10": "CIFAR",
    "kinetics-400": "K400",
    "kinetics-600": "K600",
    "something-something-v2": "SSv2",
}
METRICS = {"top1_imagenet_1k_finetuned": "IN-1k finetuned", "top1_imagenet_1k_5shot": "IN-1k 5-shot"}
DESCRIPTION = """List the models that can be built by name; with a NAME, its published weights; with the
name of weights, all that is known of them.

top-1: the best accuracy that is reported for any of its weights, in percent, and the licence of these.
It is measured on ImageNet-1k, unless another data set is named: IN-22k (ImageNet-22k), CIFAR (CIFAR-10),
K400 and K600 (Kinetics), SSv2 (Something-Something v2).

weights: how many files are published; their names load them: `swinkit.load("swin-t/imagenet-1k")`."""


def command(arguments: Sequence[str]) -> int:
    """Print the variants that fit, one variant's checkpoints, or one checkpoint."""
    parser = Parser("models", DESCRIPTION)
    parser.add_argument(
        "name",
        nargs="?",
        help="list the weights of this model, or describe these weights",
    )
    parser.add_argument("--task", type=Value(str), metavar="NAME", help="only models for this task")
    parser.add_argument(
        "--family", type=Value(str), metavar="NAME", help=f"only this family: {', '.join(families())}"
    )
    parser.add_argument(
        "--max-params",
        type=Value(str),
        metavar="N",
        help="only models of at most so many parameters, such as 60M",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parse(parser, arguments)
    if options.name is not None:
        for key in FILTERS:
            if getattr(options, key) is not None:
                option = key.replace("_", "-")
                raise UsageError(f"--{option} is for the list of all models; leave it or {options.name} out")
        print(checkpoint_text(options.name, as_json=options.json))
        return 0
    rows = [variant_json(name, variant) for name, variant in VARIANTS.items()]
    for key in ("task", "family"):
        wanted = getattr(options, key)
        known = sorted({value[key] for value in rows})
        if wanted is not None and wanted not in known:
            raise UsageError(f"no model has the {key} {wanted!r} (known: {', '.join(known)})")
        rows = [value for value in rows if wanted is None or value[key] == wanted]
    if options.max_params is not None:
        most = parse_quantity(options.max_params)
        rows = [value for value in rows if value["params"] <= most]
    print(json.dumps(rows, indent=1) if options.json else model_table(rows))
    return 0


def checkpoint_text(name: str, *, as_json: bool) -> str:
    """Return the checkpoints of the variant of that name, or the one checkpoint, as text.

    Raises:
        UsageError: neither has this name.
    """
    alone = "/" in name and canonical_name(name) is None
    files = [
        checkpoint_json(row)
        for row in ([find_checkpoint(name)] if alone else checkpoints_of(find_variant(name)[0]))
    ]
    if as_json:
        return json.dumps(files, indent=1)
    return checkpoint_page(files[0]) if alone else checkpoint_table(files)


def families() -> list[str]:
    """Return the names of all families."""
    return sorted({variant.family for variant in VARIANTS.values()})


def variant_json(name: str, variant: Variant) -> dict[str, Any]:
    """Return one variant as JSON: `params` with its usual classes, `macs` for an input of its usual size."""
    return {
        "name": name,
        "family": variant.family,
        "task": variant.task,
        "params": num_parameters(variant.spec, variant.num_classes),
        "macs": num_macs(variant.spec, variant.size, variant.num_classes),
        "input": list(variant.size),
        "num_classes": variant.num_classes,
        "weights": [checkpoint_json(checkpoint) for checkpoint in checkpoints_of(name)],
        "source": variant.source,
        "aliases": list(variant.aliases),
    }


def checkpoint_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return one checkpoint as JSON; `cached` if its file is on this machine."""
    return {**vars(checkpoint), "cached": is_cached(checkpoint)}


def model_table(rows: list[dict[str, Any]]) -> str:
    """Return a table with a row for each model."""
    head = ("name", "params", "GMACs", "input", "top-1", "licence", "weights")
    return table(head, [cells(row) for row in rows], right=("params", "GMACs"))


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return one model's row of the table."""
    files = row["weights"]
    here = sum(file["cached"] for file in files)
    best = max(files, key=lambda file: file["reported"].get("top1", 0), default=NONE)
    return (
        row["name"],
        f"{row['params'] / 1e6:.1f} M",
        f"{row['macs'] / 1e9:.2f}",
        size_text(row["input"]),
        f"{best['reported']['top1']:.1f} {dataset_suffix(best)}".rstrip()
        if "top1" in best["reported"]
        else "-",
        best["licence"],
        f"{len(files)}, {here} here" if here else str(len(files) or "-"),
    )


def dataset_suffix(file: dict[str, Any]) -> str:
    """Return the short name of the data set of a checkpoint's accuracy; "" for ImageNet-1k."""
    dataset = file["name"].partition("/")[2]
    return next(short for begin, short in DATASETS.items() if dataset.startswith(begin))


def checkpoint_table(files: list[dict[str, Any]]) -> str:
    """Return a table with a row for each checkpoint."""
    lines = [
        (file["name"], scores(file) or "-", file["licence"] + " (here)" * file["cached"]) for file in files
    ]
    return table(("weights", "reported", "licence"), lines)


def scores(file: dict[str, Any]) -> str:
    """Return the scores that its authors published, in one line."""
    values = file["reported"].items()
    return ", ".join(f"{METRICS.get(metric, metric)} {value:g}" for metric, value in values)


def checkpoint_page(file: dict[str, Any]) -> str:
    """Return all facts about one checkpoint, a line for each."""
    facts = {
        "address": file["address"],
        "source": file["source"],
        "licence": file["licence"],
        "task": f"{file['task']}, {file['classes'] or 'no'} classes, {size_text(file['size'])} pixels",
        "dialect": file["dialect"] or "told from the names",
        "pictures": preprocess_text(**file["preprocess"]) if file["preprocess"] else "",
        "reported": scores(file),
        "sha256": file["sha256"],
        "aliases": ", ".join(file["aliases"]),
        "note": file["note"],
        "cached": "yes" if file["cached"] else "no",
    }
    return "\n".join([file["name"], *(wrapped(f"{key:<8}  {value or '-'}") for key, value in facts.items())])


def preprocess_text(
    crop: Sequence[int],
    resize: int | None,
    interpolation: str,
    mean: Sequence[float],
    std: Sequence[float],
) -> str:
    """Describe a `Preprocess`, given its fields."""
    fit = (
        f"squeezed to {size_text(crop)}"
        if resize is None
        else f"shorter side {resize}, middle {size_text(crop)}"
    )
    means, deviations = (" ".join(map(str, values)) for values in (mean, std))
    return f"{fit} pixels, {interpolation}; mean {means}, deviation {deviations}"


def size_text(size: Sequence[int]) -> str:
    """Return a size as text: (224, 224) as 224x224."""
    return "x".join(map(str, size))


def wrapped(text: str) -> str:
    """Wrap a fact to lines of at most WIDTH columns; an address is kept whole."""
    return text if "://" in text else textwrap.fill(text, WIDTH, subsequent_indent=" " * 10)


def parse_quantity(text: str) -> float:
    """Return the number that a text such as 60M or 3B means.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmbg]?)", text.lower())
    if match is None:
        raise UsageError(f"--max-params {text!r} is not a number such as 60M or 3B")
    return float(match[1]) * FACTOR[match[2]]
