"""When the kernels can take the place of their twin. Without Triton, so that it answers anywhere."""

import os
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ...core.attention import ScaledCosine, ScaledDot
from ...core.windows import PadThenRoll, RolledLayout, RollThenPad
from .plan import AXES

DTYPES = (torch.float16, torch.bfloat16, torch.float32)
WIDEST = 128  # channels of a head: a strip of them is held in registers
FARTHEST = 2**31  # numbers of one grid, which the kernels count in 32 bits


def refusal(
    qkv: Tensor, layout: RolledLayout, num_heads: int, similarity: nn.Module, dropout: float = 0.0
) -> str | None:
    """Why `attention` cannot answer for this `twin`, in a few words for the log; None if it can.

    qkv is (B, *S, 3 * C); `dropout` is that of the attention's weights, 0 when it does not train.
    """
    width = qkv.shape[-1] // (3 * num_heads)
    checks = (
        (qkv.device.type == "cuda" or interpreted(), f"tensors are on the {qkv.device.type}, not on a GPU"),
        (installed(), "Triton is not installed"),
        (qkv.dtype in DTYPES, f"the kernels do not know {qkv.dtype}"),
        (type(similarity) in (ScaledDot, ScaledCosine), f"they do not know {type(similarity).__name__}"),
        (type(layout) in (PadThenRoll, RollThenPad), f"they do not know {type(layout).__name__}"),
        (
            all(s < w for s, w in zip(layout.shift, layout.window, strict=True)),
            f"a window of {layout.window} is shifted by {layout.shift}, further than its size",
        ),
        (len(layout.grid) <= AXES, f"the grid has {len(layout.grid)} axes, more than {AXES}"),
        (width <= WIDEST, f"a head has {width} channels, more than {WIDEST}"),
        (qkv[0].numel() < FARTHEST, f"a grid holds {qkv[0].numel()} numbers, {FARTHEST} or more"),
        (dropout == 0, "the attention's weights are dropped at random"),
    )
    return next((reason for holds, reason in checks if not holds), None)


def installed() -> bool:
    """Whether there is a Triton."""
    return find_spec("triton") is not None


def interpreted() -> bool:
    """Whether Triton runs kernels on the CPU, to test them (`TRITON_INTERPRET=1`)."""
    return os.environ.get("TRITON_INTERPRET") == "1"
