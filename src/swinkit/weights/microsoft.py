"""The names of Microsoft's classification code (github.com/microsoft/Swin-Transformer), V1 and V2.

The layout of timm before 0.9 is the same, letter for letter. `attn_mask` depends on the resolution a
model was built for, which we do not know: it is not written, and Microsoft's loader makes its own.
"""

from .buffers import coordinates, square_index
from .dialect import Dialect
from .parts import MIXER, blocks, embedding, merges, own_biases, token_positions, window_buffers
from .rules import Rename

BLOCKS = "layers.{i}.blocks.{j}."

MICROSOFT = Dialect(
    "microsoft",
    (
        *embedding("patch_embed."),
        token_positions(""),
        *own_biases(BLOCKS),
        *blocks(BLOCKS, ("mlp.fc1", "mlp.fc2")),
        Rename(f"{BLOCKS}attn.rpe_mlp.0.*", f"{MIXER}bias.mlp.0.*"),  # as SimMIM's first V2 files call it
        Rename(f"{BLOCKS}attn.rpe_mlp.2.*", f"{MIXER}bias.mlp.2.*"),
        *merges("layers.{i}.downsample."),
        Rename("norm.*", "head.norm.*"),
        Rename("head.*", "head.classifier.*"),
    ),
    buffers=window_buffers(BLOCKS, square_index, coordinates),
    axes=(2,),
    border="square",
)
