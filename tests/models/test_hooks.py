"""Hooks see every call of a model, whatever fast paths and caches compute."""

import pytest
import torch
from torch import nn

from .small import PIXELS, pixels, small


@pytest.mark.parametrize("family", PIXELS)
@pytest.mark.parametrize("gradients", [False, True])
def test_every_module_is_seen_at_every_call(family, gradients):
    """Lists of modules are not called, nor is the container of a bias's MLP: its layers are."""
    model, x = small(family), pixels(family)
    model(x)  # fills the caches
    silent = (nn.ModuleList, nn.Sequential)
    expected = sorted(name for name, module in model.named_modules() if not isinstance(module, silent))
    seen: set[str] = set()
    with torch.set_grad_enabled(gradients):
        for name, module in model.named_modules():
            module.register_forward_hook(lambda *_, name=name: seen.add(name))
        for _ in range(2):
            seen.clear()
            model(x)
            assert sorted(seen) == expected


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr", "moe"])
def test_a_hook_changes_the_bias_of_a_model_that_answered_before(family):
    model, x = small(family), pixels(family)
    with torch.inference_mode():
        before = model(x)[-1]
        attention = model.stages[0].blocks[0].token_mixer
        hook = attention.bias.register_forward_hook(
            lambda _module, _inputs, bias: bias * 2 + bias.roll(1, -1)
        )
        assert (model(x)[-1] - before).abs().max() > 1e-3
        hook.remove()
        assert torch.equal(model(x)[-1], before)


@pytest.mark.parametrize("family", ["v2", "v2-cr", "moe"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_hook_sees_the_layers_of_a_computed_bias_in_full_precision(family, dtype):
    model, seen = small(family).to(dtype), []
    bias = model.stages[0].blocks[0].token_mixer.bias
    before = bias((4, 4))
    hook = bias.mlp[0].register_forward_hook(lambda _module, _inputs, hidden: seen.append(hidden.dtype))
    assert torch.equal(bias((4, 4)), before)
    hook.remove()
    assert seen == [torch.float32]
