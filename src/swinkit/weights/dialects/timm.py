"""timm's names since 0.9: a patch merging stands at the start of the next stage; the classifier is `head.fc`.

Older timm files have Microsoft's layout. timm saves no buffers. Its V2-CR models have names of their own.
"""

from .. import unsupported as limits
from ..dialect import Dialect
from ..rules import Rename
from ..shared_rules import blocks, embedding, merges, own_biases, window_buffers

BLOCKS = "layers.{i}.blocks.{j}."

TIMM = Dialect(
    "timm",
    (
        *embedding("patch_embed."),
        *own_biases(BLOCKS),
        *blocks(BLOCKS, ("mlp.fc1", "mlp.fc2")),
        *merges("layers.{i+1}.downsample."),
        Rename("norm.*", "head.norm.*"),
        Rename("head.fc.*", "head.classifier.*"),
    ),
    buffers=window_buffers(BLOCKS),
    axes=(2,),
    border="roll-first",
    tables="geometric",
    cannot=limits.TIMM,
)
