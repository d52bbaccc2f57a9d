"""`swinkit evaluate MODEL data=...`: measure a model on labelled pictures."""

import json
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from .. import api
from ..errors import UsageError
from ..tasks.classification.metrics import Accuracy
from ..tasks.classification.model import Classifier
from .arguments import parse, parser
from .console import block


def command(arguments: Sequence[str]) -> int:
    """Print the protocol, a line a class, and the totals."""
    reader = parser("evaluate", "Measure a model on labelled pictures. Options may be given as key=value.")
    reader.add_argument("model", type=str, help="a checkpoint's name, a saved folder or a weights file")
    reader.add_argument("--data", type=Path, required=True, help="folder or zip with SPLIT/CLASS/picture")
    reader.add_argument("--split", type=str, default="test", help="train, val or test")
    reader.add_argument("--batch-size", type=int, default=api.EVALUATION_BATCH, help="pictures at a time")
    reader.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parse(reader, arguments, assignments=True)
    model = api.load(options.model)
    if not isinstance(model, Classifier):
        raise UsageError(f"{options.model} has no classification head to evaluate")
    counts = api.evaluate(model, options.data, split=options.split, batch_size=options.batch_size)
    block(json.dumps(as_json(counts, model.labels)) if options.json else report(counts, model, options))
    return 0


def as_json(counts: Accuracy, labels: Sequence[str]) -> dict[str, object]:
    """`top1`, `top5` and `recall` in [0, 1]; `confusion[i][j]` pictures of class i answered as j."""
    return {
        "top1": counts.top1,
        "top5": counts.top5,
        "pictures": counts.total,
        "recall": dict(zip(labels, counts.recall, strict=True)),
        "confusion": counts.confusion.tolist(),
    }


def report(counts: Accuracy, model: Classifier, options: Namespace) -> str:
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
    for i, (label, recall) in enumerate(zip(model.labels, counts.recall, strict=True)):
        lines.append(f"  {label:<{width}}  {recall:7.2%} of {int(counts.confusion[i].sum())}")
    return "\n".join([*lines, f"top-1 {counts.top1:.2%}  top-5 {counts.top5:.2%}"])
