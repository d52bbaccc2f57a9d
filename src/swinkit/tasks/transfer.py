"""From a model of one task to a classifier of other classes: the backbone stays, the head begins anew."""

from collections.abc import Sequence
from dataclasses import replace

from ..core.spec import Spec
from ..data.imagenet import CLASSES_22K, ids
from ..data.preprocess import Preprocess
from ..models.build import build
from ..models.catalogue import find
from ..weights.load import load_weights
from ..weights.report import LoadReport
from .classification.foreign import published_preprocess
from .classification.model import Classifier
from .saved import tensors_of
from .simmim.model import SimMIM


def classifier_from(
    model: Classifier | SimMIM,
    labels: Sequence[str],
    *,
    spec: Spec | None = None,
    preprocess: Preprocess | None = None,
    tables: str | None = None,
) -> tuple[Classifier, LoadReport]:
    """A classifier that begins with the backbone of `model`, in eval mode, and what became of every tensor.

    A `spec` may have other windows (and other rates of dropping, and another border): bias tables are then
    carried over as SimMIM's fine-tuning does ("geometric"), those of a classifier as Microsoft's
    ("bicubic"), or as `tables` says. Without `preprocess`, pictures are seen as `model` sees them. The head
    of a classifier of as many classes is kept; of ImageNet's 21,841, the 1,000 that `labels` may name are.

    Raises:
        DataError: the backbone does not fit `spec`.
        UsageError: no such way for tables.
    """
    if tables is None and isinstance(model, SimMIM):
        tables = "geometric"
    swin = build(model.backbone.spec if spec is None else spec)
    made = Classifier(swin, labels, model.preprocess if preprocess is None else preprocess)
    known = isinstance(model, Classifier) and len(model.labels) == CLASSES_22K and tuple(labels) == ids("1k")
    head = "mapped" if known else "new"
    report = load_weights(made, tensors_of(model), dialect="swinkit", head=head, tables=tables)
    return made.eval(), report


def begun_anew(
    model: Classifier | SimMIM,
    labels: Sequence[str],
    *,
    variant: str | None = None,
    tables: str | None = None,
) -> tuple[Classifier, LoadReport]:
    """As `classifier_from`; `variant` names a model of other windows, which sees pictures of its usual size.

    Channels and borders stay those that the weights were trained with.

    Raises:
        DataError: the backbone is of another variant.
        UsageError: no such variant or way for tables.
    """
    if variant is None:
        return classifier_from(model, labels, tables=tables)
    _, chosen = find(variant)
    old, fit = model.backbone.spec, model.preprocess
    spec = replace(chosen.spec, in_channels=old.in_channels, border=old.border, clipped_bias=old.clipped_bias)
    seen = replace(published_preprocess(chosen.size), mean=fit.mean, std=fit.std)
    return classifier_from(model, labels, spec=spec, preprocess=seen, tables=tables)
