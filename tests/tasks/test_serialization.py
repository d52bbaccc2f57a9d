"""Our own saved models load directly; whatever does not fit goes the way that explains every tensor."""

import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

import swinkit
from swinkit.errors import DataError
from swinkit.weights import load


@pytest.fixture
def folder(classifier, tmp_path):
    swinkit.save(classifier, tmp_path / "model")
    return tmp_path / "model"


def change(folder, name, tensor):
    """Replace, add or (None) drop a tensor of a saved model."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="pt") as file:
        metadata = file.metadata()
    state = load_file(folder / "model.safetensors")
    state |= {name: tensor} if tensor is not None else {}
    if tensor is None:
        del state[name]
    save_file(state, folder / "model.safetensors", metadata)


def test_names_and_shapes_that_are_equal_need_no_dialect(folder, classifier, monkeypatch):
    monkeypatch.setattr(load, "load_weights", None)
    again = swinkit.load(folder)
    assert not again.training
    assert all(weight.requires_grad for weight in again.parameters())
    for name, tensor in classifier.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, r"1 missing \(`head.classifier.bias`\)"),
        (torch.zeros(7), r"1 of other shapes \(.head.classifier.bias"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(folder, tensor, message):
    change(folder, "head.classifier.bias", tensor)
    with pytest.raises(DataError, match=message):
        swinkit.load(folder)


def test_a_tensor_too_many_is_named(folder):
    change(folder, "backbone.strange", torch.zeros(1))
    with pytest.raises(DataError, match=r"backbone\.strange"):
        swinkit.load(folder)


def test_numbers_that_are_not_finite_are_warned_of(folder, classifier, caplog):
    change(folder, "head.classifier.bias", torch.full_like(classifier.head.classifier.bias, torch.nan))
    with caplog.at_level(logging.WARNING):
        swinkit.load(folder)
    assert "NaN or infinity in 1 tensors: `head.classifier.bias`" in caplog.text
