"""timm's `swinv2_cr`: Swin Transformer V2 written by Christoph Reich from the paper alone.

It differs from the released V2: the bias takes the printed offsets, keys have a bias, and merging norms first
as in V1. The weights of one do not fit the other.
"""

from torch import nn

from ..core.attention import ScaledCosine, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PostNormBlock
from ..core.borders import BORDERS
from ..core.patches import NormThenReduce
from ..core.position import PrintedBias
from ..core.spec import BlockSpec
from .families import SpecCR


def swin_v2_cr(spec: SpecCR) -> Swin:
    """Build a V2-CR: post-norm blocks of scaled-cosine attention with the bias that the paper prints."""

    def make_block(block: BlockSpec) -> PostNormBlock:
        attention = WindowAttention(
            block,
            BORDERS[spec.border],
            qkv=nn.Linear(block.dim, 3 * block.dim),
            similarity=ScaledCosine(block.num_heads),
            bias=PrintedBias(block.num_heads, axes=len(block.window)),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        return PostNormBlock(
            block.dim,
            attention,
            MLP(block.dim, block.hidden, spec.dropout),
            block.drop_path,
            main_norm=nn.LayerNorm(block.dim) if spec.has_main_norm(block) else nn.Identity(),
        )

    return assemble(spec, make_block, NormThenReduce)
