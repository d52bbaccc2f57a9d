"""What is remembered is what would be computed, after whatever happened to the weights."""

import copy
import gc
import pickle

import pytest
import torch
from torch import nn

from swinkit.core.fast import cache, forwards
from swinkit.core.fast.cache import CACHES, ENTRIES, LARGEST, WeightCache

from ..models.small import pixels, small


class Counted:
    """Doubles a weight, and counts how often."""

    def __init__(self, weight: torch.Tensor):
        self.weight, self.cache, self.times = weight, WeightCache(), 0

    def make(self) -> torch.Tensor:
        self.times += 1
        return self.weight * 2

    def __call__(self, key: object = None) -> torch.Tensor:
        return self.cache.get(key, [self.weight], self.make)


@pytest.fixture
def counted() -> Counted:
    return Counted(nn.Parameter(torch.randn(3), requires_grad=False))


def pickled(model: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(model))  # noqa: S301  our own


def overwritten(weight: torch.Tensor) -> None:
    weight.data.copy_(torch.ones(3))  # which no version counts


def replaced(weight: torch.Tensor) -> None:
    weight.data = torch.ones(3)


@torch.no_grad()
def stepped(weight: torch.Tensor) -> None:
    weight.copy_(torch.ones(3))


@torch.inference_mode()
def stepped_in_inference_mode(weight: torch.Tensor) -> None:
    weight.copy_(torch.ones(3))


def through_numpy(weight: torch.Tensor) -> None:
    weight.detach().numpy()[:] = 1


CHANGES = [overwritten, replaced, stepped, stepped_in_inference_mode, through_numpy]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_value_is_made_once_for_the_same_numbers_and_again_for_others(counted, change):
    assert counted() is counted()
    assert counted.times == 1
    change(counted.weight)
    assert counted().tolist() == [2, 2, 2]
    assert counted.times == 2


def test_another_precision_is_another_value(counted):
    counted()
    counted.weight.data = counted.weight.data.double()
    assert counted().dtype == torch.float64


def test_on_the_way_of_a_gradient_nothing_is_remembered_and_all_is_forgotten(counted):
    counted()
    counted.weight.requires_grad_()
    assert counted().requires_grad
    assert not counted.cache.entries
    with torch.no_grad():
        assert not counted().requires_grad
        counted()
    assert counted.times == 3


def test_what_inference_mode_made_may_meet_a_gradient(counted):
    with torch.inference_mode():
        counted()
    x = torch.ones(3, requires_grad=True)
    (counted() * x).sum().backward()
    assert counted.times == 1
    assert torch.equal(x.grad, counted.weight * 2)


def test_weights_of_inference_mode_are_remembered_too():
    with torch.inference_mode():
        counted = Counted(torch.ones(3))
        assert counted() is counted()


def test_entries_are_few_and_small():
    counted = Counted(torch.ones(3))
    for key in range(3 * ENTRIES):
        counted(key)
        assert len(counted.cache.entries) <= ENTRIES
    large = Counted(torch.ones(LARGEST + 1))
    large()
    assert not large.cache.entries


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_copies_start_without_values(copied):
    model = small("v2")
    with torch.no_grad():
        model(pixels("v2"))
    assert caches_of(model)
    assert not caches_of(copied(model)) or copied is copy.copy  # whose parts are the same


def caches_of(model: nn.Module) -> list[WeightCache]:
    """Return the caches of a model's parts."""
    return [CACHES[module] for module in model.modules() if module in CACHES]


def test_a_cache_lives_as_long_as_its_module():
    model = small("v2")
    with torch.no_grad():
        model(pixels("v2"))
    known = len(CACHES)
    del model
    gc.collect()
    assert len(CACHES) <= known - 4


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr", "video"])
def test_a_model_answers_alike_whatever_it_remembers(family):
    """Trained in between, moved to another precision and back, on another size, in every mode."""
    model, fresh = small(family), small(family)
    x = pixels(family)

    def same() -> bool:
        fresh.load_state_dict(model.state_dict())
        for each in caches_of(fresh):
            each.clear()
        return all(torch.equal(a, b) for a, b in zip(model(x), fresh(x), strict=True))

    with torch.no_grad():
        assert same()
        model(pixels(family, tuple(24 for _ in x.shape[2:])))
        assert same()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()(x)[-1].sum().backward()
    optimiser.step()
    model.eval()
    with torch.inference_mode():
        assert same()
    model.double()
    fresh.double()
    x = x.double()
    with torch.no_grad():
        assert same()
        for parameter in model.parameters():
            parameter.data.mul_(1.5)
        assert same()
    assert all(a.equal(b) for a, b in zip(copy.deepcopy(model)(x), model(x), strict=True))


def test_training_mode_draws_anew_even_without_gradients():
    """V2-CR drops hidden channels of its bias."""
    model, x = small("v2-cr").train(), pixels("v2-cr")
    with torch.no_grad():
        assert not torch.equal(model(x)[-1], model(x)[-1])


def test_after_a_step_of_training_nothing_is_taken_on_trust():
    """Not on any device: sharding writes new numbers under old versions."""
    model, x = small("v2"), pixels("v2")
    with torch.inference_mode():
        model(x)
    caches = caches_of(model)
    assert len(caches) == 4
    assert all(cache.entries for cache in caches)
    model.train()(x)
    assert not any(cache.entries for cache in caches)


@pytest.mark.parametrize("largest", [LARGEST, 4 * 7 * 7])
def test_a_continuous_bias_is_computed_once(largest, monkeypatch):
    """Also in windows whose biases are too many to keep."""
    from swinkit.core import position

    model, x, times = small("v2"), pixels("v2"), []
    for module in (forwards, cache):
        monkeypatch.setattr(module, "LARGEST", largest)
    offsets = position.log_offsets
    monkeypatch.setattr(position, "log_offsets", lambda *given: times.append(1) or offsets(*given))
    with torch.inference_mode():
        model(x)
        first = len(times)
        model(x)
    assert first == 4
    assert len(times) == first
