"""What becomes of a classifier's head when its model begins to learn other classes."""

from collections.abc import Sequence

import torch

from swinkit.core.spec import Spec
from swinkit.data.imagenet import CLASSES_22K, ids, rows_of_1k
from swinkit.data.preprocess import Preprocess
from swinkit.models.build import build
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.transfer import classifier_from

SPEC = Spec(embed_dim=4, depths=(1,), num_heads=(2,), window_sizes=((2, 2),))


def classifier(labels: Sequence[str]) -> Classifier:
    return Classifier(build(SPEC), labels, Preprocess(crop=(8, 8), resize=8))


def test_of_imagenets_21841_classes_the_rows_of_the_1000_are_kept() -> None:
    model = classifier([str(i) for i in range(CLASSES_22K)])
    made, report = classifier_from(model, ids("1k"))
    rows = torch.tensor(rows_of_1k())
    assert torch.equal(made.head.classifier.weight, model.head.classifier.weight[rows])
    assert "head.classifier.weight" in report.mapped


def test_another_thousand_classes_begin_anew() -> None:
    model = classifier([str(i) for i in range(CLASSES_22K)])
    made, report = classifier_from(model, [f"class {i}" for i in range(1000)])
    assert not made.head.classifier.weight.any()
    assert not report.mapped


def test_the_head_of_as_many_classes_is_kept() -> None:
    model = classifier(("cat", "dog"))
    made, _ = classifier_from(model, ("left", "right"))
    assert torch.equal(made.head.classifier.weight, model.head.classifier.weight)
