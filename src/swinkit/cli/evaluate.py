"""`swinkit evaluate MODEL data=...`: measure a model on labelled pictures, or compare it with another."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..zoo.checkpoint_names import require_known
from .arguments import MODEL, Parser, add_model_options, model_options, parse
from .console import block, note, progress, table
from .values import Value

if TYPE_CHECKING:
    from ..tasks.classification.comparison import Comparison
    from ..tasks.classification.evaluation import Evaluation
    from ..tasks.simmim.evaluation import MaskedEvaluation

DESCRIPTION = """Measure a model on every picture of a split; of a pre-trained one, what it explains of hidden
parts. Options may be given as key=value."""
SHOWN_CLASSES = 50  # of more, those with the lowest recall are shown
NUMBERS = ("pictures", "recall", "precision", "F1")


def command(arguments: Sequence[str]) -> int:
    """Print the protocol, a line a class, the totals, and how another model compares."""
    options = read_options(arguments)
    for name in (options.model, options.compare):
        if name is not None:
            require_known(name)
    from .. import api
    from ..tasks.classification.evaluation import Evaluation
    from ..tasks.evaluations import refuse_output

    if options.save is not None:
        refuse_output(options.save)
    found = evaluation(api.load(options.model, **model_options(options)), options.model, options)
    comparison = None
    if options.compare is not None:
        other = evaluation(api.load(options.compare), options.compare, options)
        if not (isinstance(found, Evaluation) and isinstance(other, Evaluation)):
            raise UsageError("--compare is for two classifiers")
        comparison = found.against(other)
    about: dict[str, Any] = {"model": options.model}
    if comparison is not None:
        about["comparison"] = {"other": options.compare, **comparison.to_json()}
    if options.save is not None:
        found.save(options.save, **about)
        note(f"tables and pictures are in {options.save}")
    if options.json:
        block(json.dumps({**about, **found.to_json(), **confusion(found)}))
    else:
        block(report(found, comparison, options))
    return 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """What the user asked for.

    Raises:
        UsageError: an option is unknown or missing, or of a wrong type.
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
    return parse(parser, arguments, assignments=True)


def evaluation(model: Any, name: str, options: Namespace) -> "Evaluation | MaskedEvaluation":
    """The answers of a model, on an accelerator if there is one.

    Raises:
        UsageError: it has no head that could answer.
    """
    import torch

    from .. import api
    from ..engine.gpu import attach as fused
    from ..tasks.classification.model import Classifier
    from ..tasks.simmim.model import SimMIM

    if not isinstance(model, Classifier | SimMIM):
        raise UsageError(f"{name} has no classification head to evaluate")
    if torch.accelerator.is_available():
        model.to(torch.accelerator.current_accelerator())
        fused.attach(model)
    return api.evaluate(
        model,
        options.data,
        split=options.split,
        batch_size=options.batch_size,
        workers=options.workers,
        watching=progress,
    )


def confusion(found: "Evaluation | MaskedEvaluation") -> dict[str, Any]:
    """What --json prints beside `metrics.json`: null, which is said, where it would be too large."""
    from ..tasks.classification.evaluation import MOST_CONFUSED, Evaluation

    if not isinstance(found, Evaluation):
        return {}
    if found.confusion is None:
        note(f"no confusion of {len(found.labels)} classes; it is written for {MOST_CONFUSED} at most")
    return {"confusion": found.confusion}


def report(
    found: "Evaluation | MaskedEvaluation", comparison: "Comparison | None", options: Namespace
) -> str:
    """The same for people."""
    from ..tasks.classification.evaluation import Evaluation

    lines = [found.summary]
    if isinstance(found, Evaluation):
        lines.append(class_table(found.classes))
    lines.append(str(found))
    if comparison is not None:
        lines += compared(comparison, options)
    return "\n".join(lines)


def class_table(classes: Sequence[dict[str, Any]]) -> str:
    """A row for each class, or for those with the lowest recall."""
    few = len(classes) <= SHOWN_CLASSES
    chosen = classes if few else sorted(classes, key=lambda row: row["recall"])[:SHOWN_CLASSES]
    rows = [
        [
            row["class"],
            str(row["pictures"]),
            *(f"{row[name]:.2%}" for name in ("recall", "precision", "f1")),
            f"{row['confused_with']} ({row['confused']})" if row["confused"] else "-",
        ]
        for row in chosen
    ]
    text = table(["class", *NUMBERS, "most confused with"], rows, right=NUMBERS)
    rest = "those with the lowest recall are shown; --json and --save have all"
    return text if few else f"{text}\n{len(chosen)} of {len(classes)} classes, {rest}"


def compared(found: "Comparison", options: Namespace) -> list[str]:
    """How much better MODEL is than the other, and how sure that is."""
    from ..tasks.classification.comparison import CONFIDENCE, RESAMPLES

    low, high = (f"{100 * end:+.2f}" for end in found.interval)
    how = f"paired bootstrap, {RESAMPLES} resamples, seed {found.seed}"
    alone = (
        f"right where the other errs: {found.first_only} pictures, the other way round {found.second_only}"
    )
    return [
        f"against {options.compare}: {100 * found.difference:+.2f} points of top-1",
        f"  {CONFIDENCE:.0%} interval {low} to {high} ({how})",
        f"  {alone} (McNemar's exact p = {found.p_value:.2g})",
    ]
