"""The twin is what the models compute; the kernels are what the twin computes; and they compile."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from swinkit.core.attention import ScaledCosine, ScaledDot
from swinkit.core.borders import BORDERS
from swinkit.core.windows import PadThenRoll, RolledLayout
from swinkit.engine.gpu import fallback, reference
from tests.core.mixers import mixer

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


IMAGES = [((8, 8), (4, 4), (2, 2)), ((7, 9), (4, 4), (2, 2)), ((3, 9), (4, 3), (2, 1))]
CLIPS = [((3, 5, 6), (2, 4, 4), (1, 2, 2))]
CUTS = [(border, *cut) for border in BORDERS for cut in IMAGES + (CLIPS if border != "square" else [])]


@pytest.mark.parametrize(("border", "grid", "window", "shift"), CUTS)
@pytest.mark.parametrize("cosine", [False, True], ids=["v1", "v2"])
def test_the_twin_is_the_attention_of_the_models(border, grid, window, shift, cosine):
    attention = mixer(window, shift, border, cosine=cosine)
    nn.init.eye_(attention.proj.weight)
    nn.init.zeros_(attention.proj.bias)
    x = torch.randn(2, *grid, 8, dtype=torch.double)
    layout = attention.border(grid, window, shift)
    padding = attention.qkv(x.new_zeros(8))
    answer = reference.attend_in_torch(
        attention.qkv(x), padding, attention.bias(layout.window), layout, 2, attention.similarity
    )
    torch.testing.assert_close(answer, attention(x))


class Strange(RolledLayout):
    """A layout that the kernels have not heard of."""

    arrange = restore = None


GRID = torch.zeros(1, 8, 8, 16)
LAYOUT = PadThenRoll((8, 8), (4, 4), (2, 2))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((GRID, LAYOUT, 2, ScaledDot()), None),
        ((GRID.bfloat16(), LAYOUT, 2, ScaledCosine(2)), None),
        ((GRID.double(), LAYOUT, 2, ScaledDot()), "the kernels do not support torch.float64"),
        ((GRID, LAYOUT, 2, nn.Identity()), "they do not support Identity"),
        ((GRID, Strange((8, 8), (4, 4), (2, 2)), 2, ScaledDot()), "they do not support Strange"),
        ((GRID, PadThenRoll((8, 8), (4, 4), (4, 4)), 2, ScaledDot()), "further than its size"),
        ((GRID, PadThenRoll((2,) * 4, (1,) * 4, (0,) * 4), 2, ScaledDot()), "4 axes, more than 3"),
        ((torch.zeros(1, 4, 4, 160), LAYOUT, 1, ScaledDot()), "160 channels, more than 128"),
        ((torch.zeros(1).expand(1, 2**14, 2**13, 16), LAYOUT, 2, ScaledDot()), "numbers"),
        ((GRID, LAYOUT, 2, ScaledDot(), 0.1), "dropped at random"),
    ],
)
def test_what_the_kernels_cannot_do_is_refused_with_a_reason(arguments, reason, monkeypatch):
    monkeypatch.setattr(fallback, "is_interpreted", lambda: True)
    monkeypatch.setattr(fallback, "has_triton", lambda: True)
    found = fallback.check_call(*arguments)
    assert found is None if reason is None else reason in found


def test_what_is_not_on_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(fallback, "is_interpreted", lambda: False)
    assert fallback.check_call(GRID, LAYOUT, 2, ScaledDot()) == "tensors are on the cpu, not on a GPU"


def test_without_triton_everything_is_refused(monkeypatch):
    monkeypatch.setattr(fallback, "is_interpreted", lambda: True)
    monkeypatch.setattr(fallback, "has_triton", lambda: False)
    assert fallback.check_call(GRID, LAYOUT, 2, ScaledDot()) == "Triton is not installed"


def run(*command: str, **environment: str) -> str:
    """Return the output of a fresh Python, started in the checkout."""
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=HERE.parents[2],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@needs_triton
def test_the_kernels_equal_their_twin():
    """Interpreted on the CPU, every case of `cases.py`; in a process of its own, as Triton asks for."""
    output = run(
        "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(HERE / "cases.py"), TRITON_INTERPRET="1"
    )
    assert "passed" in output
    skipped = [line for line in output.splitlines() if line.startswith("SKIPPED")]
    assert all("reference data" in line for line in skipped)


@needs_triton
def test_the_kernels_compile_for_a_gpu(tmp_path):
    """Those of one strip, and those of several."""
    output = run("tests.engine.gpu.compiling", "90", "v1-7", "v2-16", TRITON_CACHE_DIR=str(tmp_path))
    kernels = [line.split()[0] for line in output.splitlines() if "registers" in line]
    assert kernels == [
        "attend_windows",
        "differentiate_window",
        "attend_windows",
        "differentiate_queries",
        "differentiate_keys",
        "differentiate_bias",
    ]
