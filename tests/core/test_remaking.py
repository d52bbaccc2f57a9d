"""Less is kept for the backward pass, and nothing else changes."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from swinkit.core import remaking
from swinkit.core.block import MLP

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
        monkeypatch.setattr(remaking, "runs_at_once", lambda _x: False)
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


def test_the_last_product_is_not_computed_again():
    mlp, times = MLP(8, 32), []
    mlp.activation.register_forward_hook(lambda *_given: times.append("activation"))
    mlp.fc2.register_forward_hook(lambda *_given: times.append("product"))
    mlp(X.clone().requires_grad_()).sum().backward()
    assert times == ["activation", "product", "activation"]
