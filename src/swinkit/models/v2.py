"""Swin Transformer V2 (Liu et al. 2022, https://arxiv.org/abs/2111.09883).

Against V1: cosine similarity (section 3.2), res-post-norm (3.2), a continuous position bias over
log-spaced offsets (3.3), and merging that norms last. H and G also norm the main branch here and there.
"""

from torch import nn

from ..core.attention import KeylessBiasLinear, ScaledCosine, WindowAttention
from ..core.backbone import Swin, assemble
from ..core.block import MLP, PostNormBlock
from ..core.borders import BORDERS
from ..core.patches import ReduceThenNorm
from ..core.position import ContinuousBias
from ..core.spec import Place
from .families import SpecV2


def swin_v2(spec: SpecV2) -> Swin:
    """Post-norm blocks of scaled-cosine attention with a continuous bias."""

    def block(place: Place) -> PostNormBlock:
        attention = WindowAttention(
            place,
            BORDERS[spec.border],
            qkv=KeylessBiasLinear(place.dim)
            if spec.qkv_bias
            else nn.Linear(place.dim, 3 * place.dim, bias=False),
            similarity=ScaledCosine(place.num_heads),
            bias=ContinuousBias(place.num_heads, reference=spec.reference_windows[place.stage], bound=16.0),
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

    return assemble(spec, block, ReduceThenNorm)
