"""Less is kept for the backward pass, and nothing else changes."""

import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd.graph import disable_saved_tensors_hooks, saved_tensors_hooks
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.checkpoint import checkpoint
from torch.utils.hooks import RemovableHandle

from swinkit.core.backbone import Swin
from swinkit.core.block import MLP, Block
from swinkit.core.fast import forwards, recompute

from ..models.small import pixels, small

X = torch.randn(5, 8)


def gradients(mlp: MLP, x: torch.Tensor) -> list[torch.Tensor]:
    torch.manual_seed(0)
    leaf = x.clone().requires_grad_()
    answer = mlp(leaf)
    return [answer, *torch.autograd.grad(answer.square().sum(), [leaf, *mlp.parameters()])]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=["fp32", "bf16"])
def test_gradients_are_those_of_what_is_kept(dropout, dtype, monkeypatch):
    mlp = MLP(8, 32, dropout)
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        found = gradients(mlp, X)
        monkeypatch.setattr(recompute, "is_eager", lambda _x: False)
        assert all(torch.equal(a, b) for a, b in zip(found, gradients(mlp, X), strict=True))


def test_the_activation_is_not_kept():
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    mlp = MLP(8, 32)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        mlp(X.clone().requires_grad_())
    weights = [mlp.fc1.weight, mlp.fc2.weight]
    own = {pointer: size for pointer, size in kept.items() if pointer not in [w.data_ptr() for w in weights]}
    assert sum(own.values()) == 5 * 8 + 5 * 32  # what came in, and the hidden layer before the activation


class Noting(nn.GELU):
    """Notes what it answers, as no hook does."""

    def __init__(self):
        super().__init__()
        self.made = list[weakref.ref[torch.Tensor]]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = super().forward(x)
        self.made.append(weakref.ref(answer))
        return answer


def test_the_last_product_is_not_computed_again():
    mlp, products = MLP(8, 32), list[int]()
    mlp.activation = Noting()
    mlp.fc2.register_forward_hook(lambda *_given: products.append(0))
    mlp(X.clone().requires_grad_()).sum().backward()
    assert (len(mlp.activation.made), len(products)) == (2, 1)


def test_what_is_made_is_freed_before_the_backward_pass():
    mlp = MLP(8, 32)
    mlp.activation = Noting()
    answer = mlp(X.clone().requires_grad_())
    assert mlp.activation.made[0]() is None
    answer.sum().backward()


class NotingProduct(nn.Linear):
    """Notes what it answers, as no hook does."""

    def __init__(self, width: int, hidden: int):
        super().__init__(width, hidden)
        self.made = list[weakref.ref[torch.Tensor]]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = super().forward(x)
        self.made.append(weakref.ref(answer))
        return answer


def test_a_checkpoint_keeps_nothing_of_the_hidden_layer():
    mlp = MLP(8, 32)
    mlp.fc1 = NotingProduct(8, 32)
    answer = checkpoint(mlp, X.clone().requires_grad_(), use_reentrant=False)
    assert isinstance(answer, torch.Tensor)
    assert [made() for made in mlp.fc1.made] == [None]
    answer.sum().backward()
    assert [made() for made in mlp.fc1.made] == [None, None]


def of_one(mlp: MLP, hook: Callable[..., None]) -> RemovableHandle:
    return mlp.activation.register_forward_hook(hook)


def of_all(_mlp: MLP, hook: Callable[..., None]) -> RemovableHandle:
    return register_module_forward_hook(hook)


@pytest.mark.parametrize("register", [of_one, of_all])
def test_a_hook_sees_one_call(register):
    mlp, seen = MLP(8, 32), list[nn.Module]()
    with register(mlp, lambda module, *_given: seen.append(module)):
        mlp(X.clone().requires_grad_()).sum().backward()
    assert seen.count(mlp.activation) == 1


def test_a_part_that_writes_to_what_it_is_given_learns_as_without():
    layer, norm = nn.Linear(8, 8), nn.LayerNorm(8)

    def gradient(way: Callable[..., torch.Tensor]) -> torch.Tensor:
        layer.zero_grad()
        way(norm, X, lambda hidden: layer(hidden.mul_(2))).square().sum().backward()
        return layer.weight.grad.clone()

    assert torch.equal(gradient(recompute.recompute), gradient(lambda make, x, use: use(make(x))))


def test_where_torch_forbids_its_hooks_all_is_kept():
    mlp = MLP(8, 32)
    found = gradients(mlp, X)
    with disable_saved_tensors_hooks("not here"):
        assert all(map(torch.equal, found, gradients(mlp, X)))


FAMILIES = ["v1", "v2", "moe", "mlp", "video"]


def learned(model: Swin, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the answers, and every gradient."""
    model.zero_grad()
    torch.manual_seed(0)
    ends = model(x)
    sum(end.float().square().mean() for end in ends).backward()
    return [*ends, *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=["fp32", "bf16"])
def test_whole_models_learn_as_without(family, dtype, monkeypatch):
    model, x = small(family, drop_path=0.3).train(), pixels(family)
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        found = learned(model, x)
        monkeypatch.setattr(forwards, "recompute", lambda make, x, use: use(make(x)))
        assert all(map(torch.equal, found, learned(model, x)))


def kept_by(model: Swin, x: torch.Tensor) -> int:
    """Bytes that the graph holds, of tensors that are no weights."""
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()

    with saved_tensors_hooks(note, lambda tensor: tensor):
        ends = model(x)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    assert len(ends) == len(model.stages)
    return sum(size for place, size in kept.items() if place not in weights)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_around_a_block_sees_all_that_is_kept(family, monkeypatch):
    model, x = small(family).train(), pixels(family)
    found, all_kept = learned(model, x), kept_by(model, x)
    for each in (module for module in model.modules() if isinstance(module, Block)):
        each.forward = partial(checkpoint, each.forward, use_reentrant=False)
    assert all(map(torch.equal, found, learned(model, x)))
    kept = kept_by(model, x)
    assert kept < all_kept / 2
    monkeypatch.setattr(forwards, "recompute", lambda make, x, use: use(make(x)))
    assert kept == kept_by(model, x)


def test_a_weight_that_is_written_to_before_the_backward_pass_is_an_error():
    mlp = MLP(8, 32)
    answer = mlp(X.clone().requires_grad_()).sum()
    with torch.no_grad():
        mlp.fc2.weight.mul_(2)
    with pytest.raises(RuntimeError, match=r"shape \(32, 8\).* modified by an inplace operation"):
        answer.backward()


def test_gradients_of_gradients_are_right():
    mlp = MLP(3, 5).double()
    assert torch.autograd.gradgradcheck(mlp, torch.randn(2, 3, dtype=torch.double, requires_grad=True))
