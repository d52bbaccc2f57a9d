"""The library is imported and computes by a torch that lacks the private names which fast paths use."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_library_is_imported_and_computes_without_any_of_them():
    """Remove the names from torch in a fresh Python before swinkit is imported."""
    code = """
import sys
import torch
from torch.autograd import forward_ad
for owner, name in (
    (torch._C._functorch, "peek_interpreter_stack"), (forward_ad, "_current_level"),
    (torch._C._autograd, "_saved_tensors_hooks_is_enabled"),
    (torch._C._autograd, "_top_saved_tensors_default_hooks"),
):
    delattr(owner, name)
sys.modules["torch.utils._python_dispatch"] = None  # so that importing it fails
from tests.models.small import pixels, small
model, x = small("v1"), pixels("v1")
y = model(x)[-1]
y.square().sum().backward()
for module in model.modules():
    if hasattr(type(module).forward, "plain"):
        module.forward = type(module).forward.plain.__get__(module)
assert torch.equal(model(x)[-1], y)
assert model.embed.proj.weight.grad.abs().sum() > 0
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("does not provide") == 1
