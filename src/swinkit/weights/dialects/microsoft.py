"""Names of Microsoft's classification code (github.com/microsoft/Swin-Transformer), and of SimMIM's.

The layout of timm before 0.9 is the same, letter for letter. `attn_mask` depends on the resolution a model
was built for, which a `Spec` does not hold: it is not written, and Microsoft's loader makes its own. SimMIM's
files hold the classifier's backbone under `encoder.`, with the decoder beside it.

Shapes: H heads, N tokens in a window.
"""

from collections.abc import Sequence

from torch import Tensor

from ...core.spec import Spec
from ...errors import DataError
from .. import unsupported as limits
from ..buffers import coordinates, square_index
from ..dialect import Dialect
from ..rules import Rename, Rule, Together
from ..shared_rules import (
    MIXER,
    blocks,
    embedding,
    merges,
    own_biases,
    reconstruction,
    token_positions,
    window_buffers,
)
from .experts import experts

BLOCKS = "layers.{i}.blocks.{j}."


def split_heads(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Split a grouped convolution by heads: [(H * N, N, 1), (H * N)] -> [(H, N, N), (H, N)].

    Raises:
        DataError: the tensors have other shapes.
    """
    weight, bias = tensors
    tokens = weight.shape[1] if weight.ndim == 3 and weight.shape[2] == 1 else 0
    if not tokens or weight.shape[0] % tokens or bias.shape != weight.shape[:1]:
        raise DataError(
            f"spatial_mlp of shapes {tuple(weight.shape)} and {tuple(bias.shape)}, "
            "which are not (heads * tokens, tokens, 1) and (heads * tokens)"
        )
    return weight.reshape(-1, tokens, tokens), bias.reshape(-1, tokens)


def join_heads(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Join heads to a grouped convolution: [(H, N, N), (H, N)] -> [(H * N, N, 1), (H * N)]."""
    weight, bias = tensors
    return weight.reshape(-1, weight.shape[2], 1), bias.reshape(-1)


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
        split_heads,
        join_heads,
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


MICROSOFT_SIMMIM = Dialect(
    "microsoft-simmim",
    (*BACKBONE, Rename("norm.*", "head.norm.*"), *reconstruction("mask_token", "decoder.0")),
    buffers=window_buffers(BLOCKS, square_index, coordinates),
    axes=(2,),
    border="square",
    tables="geometric",
    prefix="encoder.",
    beside=("decoder.",),
    cannot=limits.SIMMIM,
)
