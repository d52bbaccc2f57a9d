"""Names of torchvision, where the embedding, stages and mergings of images are one numbered sequence.

V2's bias of q, k and v is one tensor there, whose k third is never used.
"""

from .. import unsupported as limits
from ..buffers import coordinates, flat_index, square_index
from ..dialect import Dialect
from ..rules import Rename
from ..shared_rules import blocks, embedding, merges, window_buffers

MLP = ("mlp.0", "mlp.3")
HEAD = (Rename("norm.*", "head.norm.*"), Rename("head.*", "head.classifier.*"))

TORCHVISION = Dialect(
    "torchvision",
    (
        Rename("features.0.0.*", "backbone.embed.proj.*"),
        Rename("features.0.2.*", "backbone.embed.norm.*"),
        *blocks("features.{2i+1}.{j}.", MLP),
        *merges("features.{2i+2}."),
        *HEAD,
    ),
    buffers=window_buffers("features.{2i+1}.{j}.", flat_index, coordinates),
    axes=(2,),
    border="pad-unshifted",
    cannot=limits.TORCHVISION,
)

TORCHVISION_3D = Dialect(
    "torchvision-3d",
    (*embedding("patch_embed."), *blocks("features.{2i}.{j}.", MLP), *merges("features.{2i+1}."), *HEAD),
    buffers=window_buffers("features.{2i}.{j}.", square_index),
    axes=(3,),
    clipped_bias="leading",
    cannot=limits.TORCHVISION_3D,
)
