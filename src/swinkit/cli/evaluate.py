"""`swinkit evaluate MODEL data=...`: measure a model on labelled pictures, or compare it with another."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import require
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse
from .console import block, note, progress, table

if TYPE_CHECKING:
    from ..tasks.evaluation import Comparison, Evaluation
    from ..tasks.task import Task

DESCRIPTION = """Measure a model on every picture of a split; of a pre-trained one, what it explains of hidden
parts. Options may be given as key=value."""


def command(arguments: Sequence[str]) -> int:
    """Print the protocol, a line a class, the totals, and how another model compares."""
    options = read_options(arguments)
    for name in (options.model, options.compare):
        if name is not None:
            require_known_name(name)
    from .. import api
    from ..tasks.evaluation import refuse_output
    from ..tasks.registry import evaluation_files, require_comparable, require_known_task

    if options.save is not None:
        refuse_output(options.save, evaluation_files())
    model = require_known_task(api.load(options.model, **model_options(options)), options.model)
    other = None
    if options.compare is not None:
        other = require_known_task(api.load(options.compare), options.compare)
        require_comparable({options.model: model, options.compare: other})
    found = evaluation(model, options)
    comparison = None if other is None else found.against(evaluation(other, options))
    about: dict[str, Any] = {"model": options.model}
    if comparison is not None:
        about["comparison"] = {"other": options.compare, **comparison.to_json()}
    if options.save is not None:
        found.save(options.save, **about)
        note(f"tables and pictures are in {options.save}")
    if options.json:
        block(json.dumps({**about, **found.to_json(), **details(found)}))
    else:
        block(report(found, comparison, options.compare))
    return 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments.

    Raises:
        UsageError: an option is unknown or missing, of a wrong type, or too small.
    """
    parser = Parser("evaluate", DESCRIPTION)
    add = parser.add_argument
    add("model", help=MODEL)
    data = "folder or zip with SPLIT/CLASS/picture, or any other layout that training reads"
    add("--data", type=Value(str), metavar="PATH", required=True, help=data)
    add("--split", type=Value(str), metavar="NAME", default="test", help="train, val or test")
    add(
        "--compare",
        type=Value(str),
        metavar="OTHER",
        help="another classifier of the same classes: how much better MODEL is",
    )
    add("--save", type=Value(Path), metavar="FOLDER", help="folder for tables and pictures")
    add("--batch-size", type=Value(int), metavar="N", default=64, help="pictures at a time")
    add(
        "--workers", type=Value(int), metavar="N", default=0, help="processes that read pictures; 0: this one"
    )
    add_model_options(add)
    add("--json", action="store_true", help="print one JSON object instead")
    options = parse(parser, arguments, assignments=True)
    require(options.batch_size >= 1, "--batch-size", options.batch_size, "1 or more")
    require(options.workers >= 0, "--workers", options.workers, "0 or more")
    return options


def evaluation(model: "Task", options: Namespace) -> "Evaluation":
    """Measure a model, on an accelerator if there is one."""
    import torch

    from .. import api
    from ..engine.gpu import attach as fused

    if torch.accelerator.is_available():
        model.to(torch.accelerator.current_accelerator())
        fused.attach_kernels(model)
    return api.evaluate(
        model,
        options.data,
        split=options.split,
        batch_size=options.batch_size,
        workers=options.workers,
        progress=progress,
    )


def details(found: "Evaluation") -> dict[str, Any]:
    """Return the content of --json beside `metrics.json`; note on stderr the parts that are too large."""
    values, missing = found.details()
    if missing:
        note(missing)
    return values


def report(found: "Evaluation", comparison: "Comparison | None", other: str | None) -> str:
    """Return the same for people."""
    lines, rows = [found.summary], found.table()
    if rows is not None:
        lines.append(table(rows.head, rows.rows, right=rows.right))
        lines += [rows.note] if rows.note else []
    lines.append(str(found))
    if comparison is not None:
        lines += comparison.report(str(other))
    return "\n".join(lines)
