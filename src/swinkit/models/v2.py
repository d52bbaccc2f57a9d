"""Swin Transformer V2 (Liu et al. 2022, https://arxiv.org/abs/2111.09883).

It differs from V1 in cosine similarity (section 3.2), res-post-norm (3.2), a continuous position bias over
log-spaced offsets (3.3), and merging that norms last. H and G also norm the main branch after some blocks.
"""

from torch import nn

from ..core.attention import ScaledCosine, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PostNormBlock
from ..core.borders import BORDERS
from ..core.patches import ReduceThenNorm
from ..core.position import ContinuousBias
from ..core.qkv import KeylessBiasLinear
from ..core.spec import BlockSpec
from .families import SpecV2


def swin_v2(spec: SpecV2) -> Swin:
    """Build a V2: post-norm blocks of scaled-cosine attention with a continuous bias."""

    def make_block(block: BlockSpec) -> PostNormBlock:
        attention = WindowAttention(
            block,
            BORDERS[spec.border],
            qkv=KeylessBiasLinear(block.dim)
            if spec.qkv_bias
            else nn.Linear(block.dim, 3 * block.dim, bias=False),
            similarity=ScaledCosine(block.num_heads),
            bias=ContinuousBias(block.num_heads, reference=spec.reference_windows[block.stage], bound=16.0),
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

    return assemble(spec, make_block, ReduceThenNorm)
