"""The names of Microsoft's classification code (github.com/microsoft/Swin-Transformer), all its families.

The layout of timm before 0.9 is the same, letter for letter. `attn_mask` depends on the resolution a
model was built for, which we do not know: it is not written, and Microsoft's loader makes its own.
"""

from .. import unsupported as limits
from ..buffers import coordinates, square_index
from ..dialect import Dialect
from ..rules import Rename, Rule, Together
from ..shared_rules import MIXER, blocks, embedding, merges, own_biases, token_positions, window_buffers
from .experts import experts
from .mixing import as_convolution, by_heads

BLOCKS = "layers.{i}.blocks.{j}."

BACKBONE: tuple[Rule, ...] = (
    *experts(f"{BLOCKS}mlp._moe_layer."),
    *embedding("patch_embed."),
    token_positions(),
    *own_biases(BLOCKS),
    *blocks(BLOCKS, ("mlp.fc1", "mlp.fc2")),
    Rename(f"{BLOCKS}attn.rpe_mlp.0.*", f"{MIXER}bias.mlp.0.*"),  # as SimMIM's first V2 files call it
    Rename(f"{BLOCKS}attn.rpe_mlp.2.*", f"{MIXER}bias.mlp.2.*"),
    Together(
        (f"{BLOCKS}spatial_mlp.weight", f"{BLOCKS}spatial_mlp.bias"),
        (f"{MIXER}weight", f"{MIXER}bias"),
        by_heads,
        as_convolution,
    ),
    *merges("layers.{i}.downsample."),
)

MICROSOFT = Dialect(
    "microsoft",
    (*BACKBONE, Rename("norm.*", "head.norm.*"), Rename("head.*", "head.classifier.*")),
    buffers=window_buffers(BLOCKS, square_index, coordinates),
    unused=("projector.**", "projector_k.**", "predictor.**", "queue*"),  # of MoBY
    axes=(2,),
    border="square",
    cannot=limits.MICROSOFT,
)
