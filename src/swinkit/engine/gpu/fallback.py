"""Reasons for the plain path, as short texts for the log. They need no Triton."""

import math
import os
from collections.abc import Iterator
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ...core.attention import ScaledCosine, ScaledDot
from ...core.fast.torch_internals import is_eager
from ...core.windows import PadThenRoll, RolledLayout, RollThenPad
from .kernel_config import AXES

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
WIDEST = 128  # channels of a head: a strip of them is held in registers
PRESENT = find_spec("triton") is not None
OLDEST = (8, 0)  # compute capability: Ampere, the first that multiplies bf16
FARTHEST = 2**31  # numbers of one grid, which the kernels count in 32 bits


def check_call(
    x: Tensor, layout: RolledLayout, num_heads: int, similarity: nn.Module, dropout: float = 0.0
) -> str | None:
    """Return why the kernels cannot compute a call; None if they can.

    `x` is (B, *S, C); `dropout` is that of the attention weights, 0 outside of training.
    """
    return next(find_reasons(x, layout, num_heads, similarity, dropout), None)


def find_reasons(
    x: Tensor, layout: RolledLayout, num_heads: int, similarity: nn.Module, dropout: float
) -> Iterator[str]:
    """Yield all reasons, each only when it is asked for."""
    if x.device.type != "cuda" and not is_interpreted():
        yield f"tensors are on the {x.device.type}, not on a GPU"
    if not has_triton():
        yield "Triton is not installed"
    if not (torch.compiler.is_compiling() or is_eager(x)):
        yield "torch records or transforms every operation"
    if x.device.type == "cuda" and torch.cuda.get_device_capability(x.device) < OLDEST:
        yield f"the GPU is older than compute capability {OLDEST[0]}.{OLDEST[1]}"
    if x.dtype not in DTYPES:
        yield f"the kernels do not support {x.dtype}"
    if type(similarity) not in (ScaledDot, ScaledCosine):
        yield f"they do not support {type(similarity).__name__}"
    if type(layout) not in (PadThenRoll, RollThenPad):
        yield f"they do not support {type(layout).__name__}"
    if any(s >= w for s, w in zip(layout.shift, layout.window, strict=True)):
        yield f"a window of {layout.window} is shifted by {layout.shift}, further than its size"
    if len(layout.grid) > AXES:
        yield f"the grid has {len(layout.grid)} axes, more than {AXES}"
    if (width := x.shape[-1] // num_heads) > WIDEST:
        yield f"a head has {width} channels, more than {WIDEST}"
    if (numbers := 3 * math.prod(x.shape[1:])) >= FARTHEST:
        yield f"a grid holds {numbers} numbers, {FARTHEST} or more"
    if dropout:
        yield "the attention's weights are dropped at random"


def has_triton() -> bool:
    """Return whether Triton is installed."""
    return PRESENT


def is_interpreted() -> bool:
    """Return whether Triton runs kernels on the CPU, for tests (`TRITON_INTERPRET=1`)."""
    return os.environ.get("TRITON_INTERPRET") == "1"
