"""timm's `swinv2_cr`: Swin Transformer V2 written by Christoph Reich from the paper alone.

Against the released V2: the bias takes the printed offsets, keys have a bias, and merging norms first as in
V1. Weights of one do not fit the other.
"""

from torch import nn

from ..core.attention import ScaledCosine, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PostNormBlock
from ..core.borders import BORDERS
from ..core.patches import NormThenReduce
from ..core.position import PrintedBias
from ..core.spec import Place
from .families import SpecCR


def swin_v2_cr(spec: SpecCR) -> Swin:
    """Post-norm blocks of scaled-cosine attention with the paper's own bias."""

    def block(place: Place) -> PostNormBlock:
        attention = WindowAttention(
            place,
            BORDERS[spec.border],
            qkv=nn.Linear(place.dim, 3 * place.dim),
            similarity=ScaledCosine(place.num_heads),
            bias=PrintedBias(place.num_heads, axes=len(place.window)),
            dropout=spec.dropout,
            attention_dropout=spec.attention_dropout,
        )
        return PostNormBlock(
            place.dim,
            attention,
            MLP(place.dim, place.hidden, spec.dropout),
            place.drop_path,
            main_norm=nn.LayerNorm(place.dim) if spec.norms_main(place) else nn.Identity(),
        )

    return assemble(spec, block, NormThenReduce)
