"""Swin Transformer (Liu et al. 2021, https://arxiv.org/abs/2103.14030).

Video Swin is built here as well, since only its numbers differ.
"""

from torch import nn

from ..core.attention import ScaledDot, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PreNormBlock
from ..core.borders import BORDERS
from ..core.patches import NormThenReduce
from ..core.position import CLIPPED_BIAS, LearnedBias
from ..core.spec import BlockSpec, Spec


def swin(spec: Spec) -> Swin:
    """Build a V1 or Video Swin: pre-norm blocks of scaled-dot attention with a learned bias."""

    def make_block(block: BlockSpec) -> PreNormBlock:
        attention = WindowAttention(
            block,
            BORDERS[spec.border],
            qkv=nn.Linear(block.dim, 3 * block.dim, bias=spec.qkv_bias),
            similarity=ScaledDot(spec.qk_scale),
            bias=LearnedBias(block.window, block.num_heads, CLIPPED_BIAS[spec.clipped_bias]),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        return PreNormBlock(block.dim, attention, MLP(block.dim, block.hidden, spec.dropout), block.drop_path)

    return assemble(spec, make_block, NormThenReduce)
