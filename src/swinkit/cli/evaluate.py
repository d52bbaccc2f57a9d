"""`swinkit evaluate MODEL data=...`: measure a model on labelled pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ..errors import UsageError
from ..zoo.names import require_known
from .arguments import MODEL, add_reading, parse, parser, ways
from .console import block, note

if TYPE_CHECKING:
    from ..tasks.classification.metrics import Accuracy
    from ..tasks.classification.model import Classifier

MOST_CONFUSED = 1000  # classes of which --json has the confusion; of 21,841 it would take a gigabyte


def command(arguments: Sequence[str]) -> int:
    """Print the protocol, a line a class, and the totals."""
    reader = parser("evaluate", "Measure a model on labelled pictures. Options may be given as key=value.")
    add = reader.add_argument
    add("model", help=MODEL)
    add("--data", type=Path, metavar="PATH", required=True, help="folder or zip with SPLIT/CLASS/picture")
    add("--split", metavar="NAME", default="test", help="train, val or test")
    add("--batch-size", type=int, metavar="N", default=64, help="pictures at a time")
    add_reading(reader)
    add("--json", action="store_true", help="print one JSON object instead")
    options = parse(reader, arguments, assignments=True)
    require_known(options.model)
    from .. import api
    from ..tasks.classification.model import Classifier

    model = api.load(options.model, **ways(options))
    if not isinstance(model, Classifier):
        raise UsageError(f"{options.model} has no classification head to evaluate")
    counts = api.evaluate(model, options.data, split=options.split, batch_size=options.batch_size)
    block(json.dumps(as_json(counts, model.labels)) if options.json else report(counts, model, options))
    return 0


def as_json(counts: "Accuracy", labels: Sequence[str]) -> dict[str, object]:
    """`top1`, `top5` and `recall` in [0, 1]; `confusion[i][j]` pictures of class i answered as j.

    `confusion` is null, which is said, where the classes are too many to write all pairs of them.
    """
    few = len(labels) <= MOST_CONFUSED
    if not few:
        note(f"no confusion of {len(labels)} classes; it is written for {MOST_CONFUSED} at most")
    return {
        "top1": counts.top1,
        "top5": counts.top5,
        "pictures": counts.total,
        "recall": dict(zip(labels, counts.recall, strict=True)),
        "confusion": counts.confusion.tolist() if few else None,
    }


def report(counts: "Accuracy", model: "Classifier", options: Namespace) -> str:
    """The same for people."""
    fit = model.preprocess
    how = (
        f"squeezed to {fit.crop}"
        if fit.resize is None
        else f"shorter side to {fit.resize}, middle {fit.crop} pixels"
    )
    width = max(map(len, model.labels))
    lines = [
        f"{counts.total} pictures of {options.data} ({options.split}); {how}, {fit.interpolation}; one view"
    ]
    for label, recall, count in zip(model.labels, counts.recall, counts.totals.tolist(), strict=True):
        lines.append(f"  {label:<{width}}  {recall:7.2%} of {count}")
    return "\n".join([*lines, f"top-1 {counts.top1:.2%}  top-5 {counts.top5:.2%}"])
