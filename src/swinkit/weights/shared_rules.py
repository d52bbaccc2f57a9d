"""Rules that several libraries share, because most descend from the same code and differ in a few names.

Our names are those of a classifier (`backbone.`, `head.`) or of a pyramid (`backbone.`, `norms.`).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.spec import Size, Spec
from ..errors import DataError
from .buffers import Buffer, Build
from .rules import Rename, Reshape, Rule, Together

BLOCK = "backbone.stages.{i}.blocks.{j}."
MIXER = f"{BLOCK}token_mixer."
MERGE = "backbone.stages.{i}.merge."
ABSOLUTE = "backbone.position.embedding"


def embedding(prefix: str) -> tuple[Rule, ...]:
    """Rename the patch embedding, whose two parts are called `proj` and `norm`."""
    return (
        Rename(f"{prefix}proj.*", "backbone.embed.proj.*"),
        Rename(f"{prefix}norm.*", "backbone.embed.norm.*"),
    )


def blocks(prefix: str, mlp: tuple[str, str], *, attention: str = "attn.") -> tuple[Rule, ...]:
    """Rename blocks under `prefix`, V1 and V2 alike; `mlp` names the two layers of their MLP."""
    return (
        keyless_bias(f"{prefix}{attention}qkv.bias", beside=f"{prefix}{attention}logit_scale"),
        *block_layers(prefix, mlp, ("cpb_mlp.0", "cpb_mlp.2"), attention=attention),
        Rename(f"{prefix}{attention}relative_position_bias_table", f"{MIXER}bias.table"),
        Rename(f"{prefix}{attention}logit_scale", f"{MIXER}similarity.log_scale"),
    )


def block_layers(
    prefix: str, mlp: tuple[str, str], bias_mlp: tuple[str, str], *, attention: str = "attn."
) -> tuple[Rule, ...]:
    """Rename the norms and linear layers of blocks; `bias_mlp` names those of the bias of V2."""
    return (
        Rename(f"{prefix}norm1.*", f"{BLOCK}norm1.*"),
        Rename(f"{prefix}norm2.*", f"{BLOCK}norm2.*"),
        Rename(f"{prefix}{attention}qkv.*", f"{MIXER}qkv.*"),
        Rename(f"{prefix}{attention}proj.*", f"{MIXER}proj.*"),
        Rename(f"{prefix}{attention}{bias_mlp[0]}.*", f"{MIXER}bias.mlp.0.*"),
        Rename(f"{prefix}{attention}{bias_mlp[1]}.*", f"{MIXER}bias.mlp.2.*"),
        Rename(f"{prefix}{mlp[0]}.*", f"{BLOCK}channel_mixer.fc1.*"),
        Rename(f"{prefix}{mlp[1]}.*", f"{BLOCK}channel_mixer.fc2.*"),
    )


def own_biases(prefix: str, *, attention: str = "attn.") -> tuple[Rule, ...]:
    """Rename V2's separate biases of q and v; these rules must precede others that know `attn.qkv`."""
    return (
        Rename(f"{prefix}{attention}q_bias", f"{MIXER}qkv.q_bias"),
        Rename(f"{prefix}{attention}v_bias", f"{MIXER}qkv.v_bias"),
    )


def merges(prefix: str) -> tuple[Rule, ...]:
    """Rename the two parts of each patch merging."""
    return (
        Rename(f"{prefix}norm.*", f"{MERGE}norm.*"),
        Rename(f"{prefix}reduction.*", f"{MERGE}reduction.*"),
    )


def window_buffers(
    prefix: str, index: Build | None = None, coordinates: Build | None = None, *, attention: str = "attn."
) -> tuple[Buffer, ...]:
    """Return the buffers of blocks under `prefix`; those with a build are written."""
    return (
        Buffer(f"{prefix}{attention}relative_position_index", f"{MIXER}bias.index", index),
        Buffer(f"{prefix}{attention}relative_coords_table", f"{MIXER}bias.coordinates", coordinates),
        Buffer(f"{prefix}{attention}k_bias", f"{MIXER}qkv.k_bias"),
        Buffer(f"{prefix}attn_mask", f"{BLOCK}mask"),
    )


def keyless_bias(theirs: str, *, beside: str) -> Rule:
    """Split the bias (3 * C) of q, k, v into (C) of q and (C) of v, where attention gives k no bias (V2).

    It applies only where the tensor `beside` shows such attention. The k third is written as zeros and not
    read, because no library that stores it uses it.
    """
    return Together((theirs,), (f"{MIXER}qkv.q_bias", f"{MIXER}qkv.v_bias"), without_k, with_k, beside=beside)


def without_k(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Drop k: [(3 * C)] -> [(C), (C)]."""
    (bias,) = tensors
    third = bias.numel() // 3
    return bias.flatten()[:third].clone(), bias.flatten()[2 * third :].clone()


def with_k(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Insert zeros for k: [(C), (C)] -> [(3 * C)]."""
    q, v = tensors
    return [torch.cat([q, torch.zeros_like(q), v])]


def apart(prefix: str, names: Sequence[str]) -> Rule:
    """Join three projections called `names` to our one of q, k and v, whose rows are theirs in order."""
    theirs = tuple(f"{prefix}{name}.*" for name in names)
    return Together(theirs, (f"{MIXER}qkv.*",), join_thirds, thirds)


def keyless_apart(prefix: str, names: tuple[str, str, str]) -> tuple[Rule, ...]:
    """Join three projections of V2, where the key has no bias and our other biases are separate."""
    query, key, value = (f"{prefix}{name}" for name in names)
    weights = tuple(f"{name}.weight" for name in (query, key, value))
    return (
        Together(weights, (f"{MIXER}qkv.weight",), join_thirds, thirds),
        Rename(f"{query}.bias", f"{MIXER}qkv.q_bias"),
        Rename(f"{value}.bias", f"{MIXER}qkv.v_bias"),
    )


def join_thirds(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Join three projections: [(C, ...), (C, ...), (C, ...)] -> [(3 * C, ...)]."""
    return [torch.cat(list(tensors))]


def thirds(tensors: Sequence[Tensor], _spec: Spec | None) -> Sequence[Tensor]:
    """Split into three projections with memory of their own: [(3 * C, ...)] -> [(C, ...)] * 3."""
    return [part.clone() for part in tensors[0].chunk(3)]


def reconstruction(mask_token: str, decoder: str) -> tuple[Rule, ...]:
    """Rename SimMIM's additions to a backbone: the embedding of a masked patch, and the decoder."""
    return (
        Reshape(mask_token, "mask_token", lambda x, _: x.flatten(), lambda x: x.reshape(1, 1, -1)),
        Rename(f"{decoder}.*", "head.decoder.*"),
    )


def token_positions(theirs: str = "absolute_pos_embed") -> Rule:
    """Reshape the absolute embedding (*grid, C), written as (1, L, C) (Microsoft)."""
    return Reshape(theirs, ABSOLUTE, on_grid, lambda x: x.reshape(1, -1, x.shape[-1]))


def map_positions() -> Rule:
    """Reshape the absolute embedding (*grid, C), written as (1, C, *grid) (the dense forks)."""
    return Reshape("absolute_pos_embed", ABSOLUTE, on_grid, lambda x: x.movedim(-1, 0)[None].contiguous())


def on_grid(embedding: Tensor, spec: Spec | None) -> Tensor:
    """Arrange an absolute embedding on its grid: (1, L, C) or (1, C, *grid) -> (*grid, C).

    L tokens lie on the grid of `spec` if it has as many, else on a square.

    Raises:
        DataError: neither is so, or the tensor has another shape.
    """
    if embedding.ndim > 3 and embedding.shape[0] == 1:
        return embedding[0].movedim(0, -1).contiguous()
    if embedding.ndim != 3 or embedding.shape[0] != 1:
        raise DataError(
            f"an absolute embedding of shape {tuple(embedding.shape)} is neither (1, L, C) nor (1, C, h, w)"
        )
    tokens = embedding.shape[1]
    grid: Size = (spec.absolute_grid if spec else None) or ()
    if math.prod(grid) != tokens or not grid:
        grid = (math.isqrt(tokens),) * 2
    if math.prod(grid) != tokens:
        raise DataError(
            f"the absolute embedding holds {tokens} tokens, which make no square; "
            "name the variant whose absolute_grid they lie on"
        )
    return embedding[0].unflatten(0, grid)
