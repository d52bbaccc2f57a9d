"""Swin Transformer (Liu et al. 2021, https://arxiv.org/abs/2103.14030).

Video Swin is built here too: it differs in tuples only.
"""

from torch import nn

from ..core.attention import ScaledDot, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import BORDERS
from ..core.patches import NormThenReduce
from ..core.position import CLIPPED_BIAS, LearnedBias
from ..core.spec import Place, Spec


def swin(spec: Spec) -> Swin:
    """Pre-norm blocks of scaled-dot attention with a learned bias."""

    def block(place: Place) -> PreNormBlock:
        attention = WindowAttention(
            place,
            BORDERS[spec.border],
            qkv=nn.Linear(place.dim, 3 * place.dim, bias=spec.qkv_bias),
            similarity=ScaledDot(spec.qk_scale),
            bias=LearnedBias(place.window, place.num_heads, CLIPPED_BIAS[spec.clipped_bias]),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        return PreNormBlock(place.dim, attention, MLP(place.dim, place.hidden, spec.dropout), place.drop_path)

    return assemble(spec, block, NormThenReduce)
