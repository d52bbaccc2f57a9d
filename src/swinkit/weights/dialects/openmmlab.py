"""Names of OpenMMLab: upstream's (mmpretrain, mmdetection, mmsegmentation, mmaction2) and the forks'.

The forks are by Swin's authors: of mmdetection and mmsegmentation (dense), and of mmaction (Video Swin).
Upstream's picture models merge by `nn.Unfold`, whose channels have another order than the published ones. A
norm bears the number of its stage: a classifier has that of the last stage, a dense backbone one for each
stage it gives out. The rest of a detector or segmenter (`neck.`, `decode_head.`, ...) is not part of a
backbone and is reported as unused.
"""

from dataclasses import replace

from torch import Tensor

from .. import unsupported as limits
from ..buffers import Buffer, coordinates, square_index
from ..dialect import Dialect
from ..rules import LastStage, Rename, Reshape, Rule
from ..shared_rules import (
    BLOCK,
    MERGE,
    blocks,
    embedding,
    map_positions,
    merges,
    own_biases,
    reconstruction,
    token_positions,
    window_buffers,
)

MLP = ("mlp.fc1", "mlp.fc2")
BLOCKS = "layers.{i}.blocks.{j}."
STAGES = "stages.{i}.blocks.{j}."
ATTENTION = "attn.w_msa."
REST = (
    "neck.**",
    "rpn_head.**",
    "roi_head.**",
    "bbox_head.**",
    "mask_head.**",
    "decode_head.**",
    "auxiliary_head.**",
)


def to_unfold_order(x: Tensor) -> Tensor:
    """Reorder merged channels (..., 4 * C) from the published [column, row, c] to [c, row, column]."""
    return x.unflatten(-1, (2, 2, x.shape[-1] // 4)).transpose(-3, -1).flatten(-3).contiguous()


def to_published_order(x: Tensor) -> Tensor:
    """Reorder merged channels (..., 4 * C) to the published order, as the inverse of `to_unfold_order`."""
    return x.unflatten(-1, (x.shape[-1] // 4, 2, 2)).transpose(-3, -1).flatten(-3).contiguous()


def unfold_rule(theirs: str, ours: str) -> Rule:
    """Return the rule for a tensor whose last axis is the four merged tokens."""
    return Reshape(theirs, ours, lambda x, _: to_published_order(x), to_unfold_order)


def upstream_rules(merge: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return the rules of upstream's picture models, with the rules of their merges."""
    return (
        Rename("patch_embed.projection.*", "backbone.embed.proj.*"),
        Rename("patch_embed.norm.*", "backbone.embed.norm.*"),
        token_positions(),
        *blocks(STAGES, ("ffn.layers.0.0", "ffn.layers.1"), attention=ATTENTION),
        *merge,
    )


V1 = upstream_rules(
    (
        unfold_rule("stages.{i}.downsample.norm.*", f"{MERGE}norm.*"),
        unfold_rule("stages.{i}.downsample.reduction.*", f"{MERGE}reduction.*"),
    )
)
V2 = (
    *own_biases(STAGES, attention=ATTENTION),
    *upstream_rules(
        (
            Rename("stages.{i+1}.downsample.norm.*", f"{MERGE}norm.*"),
            unfold_rule("stages.{i+1}.downsample.reduction.*", f"{MERGE}reduction.*"),
        )
    ),
    Rename(f"{STAGES}norm3.*", f"{BLOCK}main_norm.*"),
)


def last_norm_rule(theirs_blocks: str) -> Rule:
    """Return the rule of a classifier's norm; it must come first, because it counts the stages."""
    return LastStage("norm{i}.*", "head.norm.*", f"{theirs_blocks}**", f"{BLOCK}**")


CLASSIFIER: tuple[Rule, ...] = (
    Rename("norm.*", "head.norm.*"),  # in files that were converted from Microsoft's
    Rename("head.fc.*", "head.classifier.*"),
    *reconstruction("mask_token", "neck.decoder.0"),
)

OPENMMLAB = Dialect(
    "openmmlab",
    (last_norm_rule(STAGES), *V1, *CLASSIFIER),
    buffers=(
        *window_buffers(STAGES, square_index, attention=ATTENTION),
        Buffer(f"{STAGES}attn.attn_mask", f"{BLOCK}mask"),  # in mmclassification's first files
    ),
    axes=(2,),
    border="square",
    tables="geometric",
    prefix="backbone.",
    beside=("head.", "neck."),
    cannot=limits.OPENMMLAB,
)
OPENMMLAB_V2 = replace(
    OPENMMLAB,
    name="openmmlab-v2",
    rules=(last_norm_rule(STAGES), *V2, *CLASSIFIER),
    buffers=window_buffers(STAGES, square_index, coordinates, attention=ATTENTION),
    tables="bicubic",
    cannot=limits.OPENMMLAB_V2,
)
OPENMMLAB_DENSE = Dialect(
    "openmmlab-dense",
    (*V1, Rename("norm{i}.*", "norms.{i}.*")),
    buffers=window_buffers(STAGES, square_index, attention=ATTENTION),
    unused=REST,
    axes=(2,),
    border="pad",
    prefix="backbone.",
    cannot=limits.DENSE,
)
FORK: tuple[Rule, ...] = (
    *embedding("patch_embed."),
    map_positions(),
    *blocks(BLOCKS, MLP),
    *merges("layers.{i}.downsample."),
    Rename("norm{i}.*", "norms.{i}.*"),
)
OPENMMLAB_FORK = replace(
    OPENMMLAB_DENSE,
    name="openmmlab-fork",
    rules=FORK,
    buffers=window_buffers(BLOCKS, square_index),
    prefix="",
)


def video_dialect(name: str, norms: tuple[Rule, ...], prefix: str) -> Dialect:
    """Return the rules of Video Swin; `norms` are those of the last norm, which is our head's."""
    return Dialect(
        name,
        (
            *norms,
            *embedding("patch_embed."),
            *blocks(BLOCKS, MLP),
            *merges("layers.{i}.downsample."),
            Rename("cls_head.fc_cls.*", "head.classifier.*"),
        ),
        buffers=window_buffers(BLOCKS, square_index),
        axes=(3,),
        clipped_bias="leading",
        prefix=prefix,
        beside=("cls_head.",),
        cannot=limits.OPENMMLAB_VIDEO,
    )


FORK_NORM = (Rename("norm.*", "head.norm.*"),)
OPENMMLAB_VIDEO = video_dialect("openmmlab-video", FORK_NORM, prefix="backbone.")
OPENMMLAB_VIDEO_BACKBONE = video_dialect("openmmlab-video-backbone", FORK_NORM, prefix="")
MMACTION2 = video_dialect("mmaction2", (last_norm_rule(BLOCKS),), prefix="backbone.")
