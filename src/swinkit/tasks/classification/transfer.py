"""Transfer of a model of any task to a classifier of other classes, with a new head."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from ...core.spec import Spec
from ...data.classes import imagenet_1k_names, imagenet_22k_names
from ...data.imagenet import CLASSES_1K, CLASSES_22K, ids, ids_of_rows
from ...data.preprocess import Preprocess
from ...errors import listed
from ...models.build import build
from ...models.catalogue import find_variant
from ...weights.load import load_weights
from ...weights.report import LoadReport
from ..from_recipe import published_preprocess
from ..task import Task
from .model import Classifier


def classifier_from(
    model: Task,
    labels: Sequence[str],
    *,
    spec: Spec | None = None,
    preprocess: Preprocess | None = None,
    tables: str | None = None,
) -> tuple[Classifier, LoadReport]:
    """Return a classifier with the backbone of `model`, in eval mode, and a report on every tensor.

    A `spec` may have other windows (and other rates of dropping, and another border): bias tables are then
    carried over as SimMIM's fine-tuning does ("geometric"), those of a classifier as Microsoft's
    ("bicubic"), or as `tables` says. Without `preprocess`, pictures are seen as `model` sees them. The head
    of a classifier of as many classes is kept; of ImageNet's 21,841, the 1,000 that `labels` may name are.

    Raises:
        DataError: the backbone does not fit `spec`.
        UsageError: no such way for tables.
    """
    tables = model.table_resize if tables is None else tables
    swin = build(model.backbone.spec if spec is None else spec)
    made = Classifier(swin, labels, model.preprocess if preprocess is None else preprocess)
    known = isinstance(model, Classifier) and len(model.labels) == CLASSES_22K and tuple(labels) == ids("1k")
    head = "mapped" if known else "new"
    report = load_weights(
        made, model.saved_tensors(), dialect="swinkit", head=head, tables=tables, channels="adapt"
    )
    return made.eval(), report


def start_from(
    model: Task,
    labels: Sequence[str],
    *,
    variant: str | None = None,
    tables: str | None = None,
) -> tuple[Classifier, LoadReport]:
    """Call `classifier_from`; `variant` names a model of other windows, which takes its usual size.

    Channels and borders stay those that the weights were trained with.

    Raises:
        DataError: the backbone is of another variant.
        UsageError: no such variant or way for tables.
    """
    if variant is None:
        return classifier_from(model, labels, tables=tables)
    _, chosen = find_variant(variant)
    old, fit = model.backbone.spec, model.preprocess
    spec = replace(chosen.spec, in_channels=old.in_channels, border=old.border, clipped_bias=old.clipped_bias)
    seen = replace(published_preprocess(chosen.size), mean=fit.mean, std=fit.std)
    return classifier_from(model, labels, spec=spec, preprocess=seen, tables=tables)


@torch.no_grad()
def match_head(made: Classifier, model: Classifier) -> str:
    """Copy into the head of `made` the rows that `model` has under the same names; return a note.

    A class that is new begins at zero. Where no name is the same, the head is left as `classifier_from` made
    it: at zero, or that of as many classes.
    """
    rows, labels = rows_by_name(model.labels), made.labels
    new = [label for label in labels if label not in rows]
    if len(new) == len(labels):
        kept = len(labels) == len(model.labels)
        state = "kept, for as many classes" if kept else "at zero"
        return f"{state}: none of the {len(model.labels)} classes has one of the new names"
    ours, theirs = made.head.classifier, model.head.classifier
    for place, label in enumerate(labels):
        known = label in rows
        ours.weight[place] = theirs.weight[rows[label]] if known else 0.0
        ours.bias[place] = theirs.bias[rows[label]] if known else 0.0
    told = f"{len(labels) - len(new)} of {len(labels)} classes matched by name"
    return f"{told}; at zero: {listed(new)}" if new else told


def rows_by_name(labels: Sequence[str]) -> dict[str, int]:
    """Return the row of each class whose name is unique; ImageNet's also by their WordNet ids."""
    count = Counter(labels)
    rows = {label: row for row, label in enumerate(labels) if count[label] == 1}
    wordnet: Sequence[str | None] = ()
    if len(labels) == CLASSES_1K and tuple(labels) == imagenet_1k_names():
        wordnet = ids("1k")
    elif len(labels) == CLASSES_22K and tuple(labels) == imagenet_22k_names():
        wordnet = ids_of_rows()
    return rows | {name: row for row, name in enumerate(wordnet) if name is not None}
