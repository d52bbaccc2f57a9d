"""A classifier that was replaced in the usual way of PyTorch: it is saved, or refused with the way out."""

import pytest
import torch
from torch import nn

import swinkit
from swinkit.errors import UsageError
from swinkit.tasks.classification.model import Classifier


@pytest.fixture
def model():
    return swinkit.load()


def test_it_is_saved_once_its_classes_are_named(model, tmp_path):
    model.head.classifier = nn.Linear(model.head.classifier.in_features, 3)
    with pytest.raises(UsageError, match=r"3 outputs, and its labels name 10; name them by model\.labels = "):
        model.predict(torch.zeros(3, 40, 40, dtype=torch.uint8))
    with pytest.raises(UsageError, match=r"cannot be saved: .*model\.labels = "):
        swinkit.save(model, tmp_path / "model")
    model.labels = ["cat", "dog", "owl"]
    swinkit.save(model, tmp_path / "model")
    again = swinkit.load(tmp_path / "model")
    assert again.labels == ("cat", "dog", "owl")
    assert torch.equal(again.head.classifier.weight, model.head.classifier.weight)
    assert set(again.predict(torch.zeros(3, 40, 40, dtype=torch.uint8)).labels) == {"cat", "dog", "owl"}


@pytest.mark.parametrize("bias", [True, False])
def test_what_was_trained_behind_a_head_of_layers_is_not_lost(model, bias, tmp_path):
    width = model.head.classifier.in_features
    model.head.classifier = nn.Sequential(nn.Linear(width, 8, bias=bias), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(UsageError, match=r"one nn.Linear with a bias.*torch.save.*head='none'"):
        swinkit.save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    torch.save(model.state_dict(), tmp_path / "kept.pth")
    kept = swinkit.load(tmp_path / "kept.pth", head="none", variant="swin-pico", reporting=lambda _: None)
    for ours, theirs in zip(kept.parameters(), model.backbone.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("labels", ["abc", [0, 1], [], {"a", "b"}, None])
def test_labels_that_are_no_texts_are_refused_before_anything_is_trained(model, labels):
    with pytest.raises(UsageError, match=r"labels is .*; it must be a list of names"):
        Classifier(model.backbone, labels, model.preprocess)
    with pytest.raises(UsageError, match=r"labels is .*; it must be a list of names"):
        model.labels = labels
