"""Attention as models have it, of random parameters."""

from torch import nn

from swinkit.core.attention import ScaledCosine, ScaledDot, WindowAttention
from swinkit.core.borders import BORDERS
from swinkit.core.position import LearnedBias
from swinkit.core.qkv import KeylessBiasLinear
from swinkit.core.spec import BlockSpec, Size


def mixer(window: Size, shift: Size, border: str, *, cosine: bool) -> WindowAttention:
    """V1's, or V2's by cosine: two heads of four channels, in fp64."""
    block = BlockSpec(0, 0, dim=8, num_heads=2, window=window, shift=shift, hidden=32, drop_path=0.0)
    attention = WindowAttention(
        block,
        BORDERS[border],
        qkv=KeylessBiasLinear(8) if cosine else nn.Linear(8, 24),
        similarity=ScaledCosine(2) if cosine else ScaledDot(),
        bias=LearnedBias(window, 2),
    )
    for parameter in attention.parameters():
        nn.init.normal_(parameter)
    return attention.double()
