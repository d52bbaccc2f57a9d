"""The moving average of the weights, and the model with it in place of its own."""

import pytest
import torch
from torch import nn

from swinkit.training.ema import Average


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2))


def test_all_weights_are_averaged_as_each_would_be_alone(model):
    average = Average(model, 0.9)
    expected = {name: value.detach().clone() for name, value in model.named_parameters()}
    for updates in (1, 2, 300):
        with torch.no_grad():
            for name, value in model.named_parameters():
                value.add_(torch.randn_like(value))
                expected[name].lerp_(value, 1 - min(0.9, (1 + updates) / (10 + updates)))
        average.update(model, updates)
    assert all(torch.equal(average.weights[name], value) for name, value in expected.items())


def test_a_model_has_the_average_inside_and_its_own_weights_afterwards(model):
    average = Average(model, 0.5)
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(3)
    own, averaged = (
        {name: value.clone() for name, value in each}
        for each in (model.named_parameters(), average.weights.items())
    )
    with average.swap_in(model):
        assert all(torch.equal(value, averaged[name]) for name, value in model.named_parameters())
    with pytest.raises(ZeroDivisionError), average.swap_in(model):
        _ = 1 / 0
    assert all(torch.equal(value, own[name]) for name, value in model.named_parameters())
    assert all(torch.equal(value, averaged[name]) for name, value in average.weights.items())
