"""Rules that several libraries share: most are descendants of the same code and differ in a few names.

Ours are those of a classifier (`backbone.`, `head.`) or of a pyramid (`backbone.`, `norms.`).
"""

import math

from torch import Tensor

from ..core.spec import Size, Spec
from ..errors import DataError
from .buffers import Buffer, Build
from .rules import KeylessBias, Rename, Reshape, Rule

BLOCK = "backbone.stages.{i}.blocks.{j}."
MIXER = f"{BLOCK}token_mixer."


def embedding(prefix: str) -> tuple[Rule, ...]:
    """The patch embedding, where its two parts are called `proj` and `norm`."""
    return (
        Rename(f"{prefix}proj.*", "backbone.embed.proj.*"),
        Rename(f"{prefix}norm.*", "backbone.embed.norm.*"),
    )


def blocks(prefix: str, mlp: tuple[str, str]) -> tuple[Rule, ...]:
    """Blocks under `prefix`, V1 and V2 alike, with the two layers of their MLP as named in `mlp`."""
    return (
        KeylessBias(
            f"{prefix}attn.qkv.bias",
            f"{prefix}attn.logit_scale",
            (f"{MIXER}qkv.q_bias", f"{MIXER}qkv.v_bias"),
        ),
        Rename(f"{prefix}norm1.*", f"{BLOCK}norm1.*"),
        Rename(f"{prefix}norm2.*", f"{BLOCK}norm2.*"),
        Rename(f"{prefix}attn.qkv.*", f"{MIXER}qkv.*"),
        Rename(f"{prefix}attn.proj.*", f"{MIXER}proj.*"),
        Rename(f"{prefix}attn.relative_position_bias_table", f"{MIXER}bias.table"),
        Rename(f"{prefix}attn.logit_scale", f"{MIXER}similarity.log_scale"),
        Rename(f"{prefix}attn.cpb_mlp.0.*", f"{MIXER}bias.mlp.0.*"),
        Rename(f"{prefix}attn.cpb_mlp.2.*", f"{MIXER}bias.mlp.2.*"),
        Rename(f"{prefix}{mlp[0]}.*", f"{BLOCK}channel_mixer.fc1.*"),
        Rename(f"{prefix}{mlp[1]}.*", f"{BLOCK}channel_mixer.fc2.*"),
    )


def own_biases(prefix: str) -> tuple[Rule, ...]:
    """V2's biases of q and v as two tensors of the attention; first among the rules that know `attn.qkv`."""
    return (
        Rename(f"{prefix}attn.q_bias", f"{MIXER}qkv.q_bias"),
        Rename(f"{prefix}attn.v_bias", f"{MIXER}qkv.v_bias"),
    )


def merges(prefix: str) -> tuple[Rule, ...]:
    """The two parts of each patch merging."""
    return (
        Rename(f"{prefix}norm.*", "backbone.stages.{i}.merge.norm.*"),
        Rename(f"{prefix}reduction.*", "backbone.stages.{i}.merge.reduction.*"),
    )


def window_buffers(
    prefix: str, index: Build | None = None, coordinates: Build | None = None
) -> tuple[Buffer, ...]:
    """The buffers of blocks under `prefix`; those with a build are written."""
    return (
        Buffer(f"{prefix}attn.relative_position_index", f"{MIXER}bias.index", index),
        Buffer(f"{prefix}attn.relative_coords_table", f"{MIXER}bias.coordinates", coordinates),
        Buffer(f"{prefix}attn.k_bias", f"{MIXER}qkv.k_bias"),
        Buffer(f"{prefix}attn_mask", f"{BLOCK}mask"),
    )


ABSOLUTE = "backbone.position.embedding"


def token_positions(prefix: str) -> Rule:
    """The absolute embedding (*grid, C), written as (1, L, C) (Microsoft)."""
    return Reshape(f"{prefix}absolute_pos_embed", ABSOLUTE, on_grid, lambda x: x.reshape(1, -1, x.shape[-1]))


def map_positions(prefix: str) -> Rule:
    """The absolute embedding (*grid, C), written as (1, C, *grid) (the dense forks)."""
    return Reshape(
        f"{prefix}absolute_pos_embed", ABSOLUTE, on_grid, lambda x: x.movedim(-1, 0)[None].contiguous()
    )


def on_grid(embedding: Tensor, spec: Spec | None) -> Tensor:
    """(1, L, C) or (1, C, *grid) -> (*grid, C).

    L tokens lie on the grid of `spec` if it has as many, else on a square.

    Raises:
        DataError: neither is so, or the tensor has another shape.
    """
    if embedding.ndim > 3 and embedding.shape[0] == 1:
        return embedding[0].movedim(0, -1).contiguous()
    if embedding.ndim != 3 or embedding.shape[0] != 1:
        raise DataError(
            f"absolute_pos_embed of shape {tuple(embedding.shape)} is neither (1, L, C) nor (1, C, h, w)"
        )
    tokens = embedding.shape[1]
    grid: Size = (spec.absolute_grid if spec else None) or ()
    if math.prod(grid) != tokens or not grid:
        grid = (math.isqrt(tokens),) * 2
    if math.prod(grid) != tokens:
        raise DataError(
            f"absolute_pos_embed holds {tokens} tokens, which make no square; "
            "name the variant whose absolute_grid they lie on"
        )
    return embedding[0].unflatten(0, grid)
