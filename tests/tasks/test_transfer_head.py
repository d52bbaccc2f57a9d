"""What becomes of a classifier's head when its model begins to learn other classes."""

from collections.abc import Sequence

import torch

from swinkit.core.spec import Spec
from swinkit.data.classes import imagenet_1k_names
from swinkit.data.imagenet import CLASSES_22K, ids, rows_of_1k
from swinkit.data.preprocess import Preprocess
from swinkit.models.build import build
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.transfer import classifier_from, match_head

SPEC = Spec(embed_dim=4, depths=(1,), num_heads=(2,), window_sizes=((2, 2),))


def classifier(labels: Sequence[str]) -> Classifier:
    return Classifier(build(SPEC), labels, Preprocess.to_crop(crop=(8, 8), resize=8))


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


def test_classes_of_the_same_name_keep_their_rows_in_any_order() -> None:
    model = classifier(("ant", "bee", "cat", "dog"))
    made, _ = classifier_from(model, ("dog", "eel", "bee"))
    told = match_head(made, model)
    old, new = model.head.classifier, made.head.classifier
    assert torch.equal(new.weight[[0, 2]], old.weight[[3, 1]])
    assert torch.equal(new.bias[[0, 2]], old.bias[[3, 1]])
    assert not new.weight[1].any()
    assert told == "2 of 3 classes matched by name; at zero: `eel`"


def test_the_same_classes_in_another_order_are_answered_alike() -> None:
    model = classifier(("ant", "bee", "cat"))
    made, _ = classifier_from(model, ("cat", "ant", "bee"))
    assert match_head(made, model) == "3 of 3 classes matched by name"
    pixels = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(made(pixels), model.eval()(pixels)[:, [2, 0, 1]])


def test_folders_named_by_wordnet_are_imagenets_classes() -> None:
    model = classifier(imagenet_1k_names())
    made, _ = classifier_from(model, ("n01443537", "n01440764"))
    assert match_head(made, model) == "2 of 2 classes matched by name"
    assert torch.equal(made.head.classifier.weight, model.head.classifier.weight[[1, 0]])


def test_a_name_that_two_classes_have_matches_neither() -> None:
    model = classifier(("crane", "crane", "bee"))
    made, _ = classifier_from(model, ("crane", "bee"))
    assert match_head(made, model) == "1 of 2 classes matched by name; at zero: `crane`"


def test_without_a_name_in_common_the_head_stays_and_that_is_said() -> None:
    model = classifier(("cat", "dog"))
    made, _ = classifier_from(model, ("left", "right"))
    assert (
        match_head(made, model) == "kept, for as many classes: none of the 2 classes has one of the new names"
    )
    assert torch.equal(made.head.classifier.weight, model.head.classifier.weight)
    other, _ = classifier_from(model, ("left", "right", "up"))
    assert match_head(other, model).startswith("at zero: ")
    assert not other.head.classifier.weight.any()
