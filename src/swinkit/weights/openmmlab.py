"""The names of the forks by Swin's authors of mmdetection, mmsegmentation (dense) and mmaction (Video Swin).

Dense: a backbone with a norm for each stage it gives out. The rest of a detector or segmenter (`neck.`,
`decode_head.`, ...) is no part of a backbone: it is reported as unused.
"""

from .buffers import square_index
from .dialect import Dialect
from .parts import blocks, embedding, map_positions, merges, window_buffers
from .rules import Rename

MLP = ("mlp.fc1", "mlp.fc2")
BLOCKS = "layers.{i}.blocks.{j}."

OPENMMLAB = Dialect(
    "openmmlab",
    (
        *embedding("patch_embed."),
        map_positions(""),
        *blocks(BLOCKS, MLP),
        *merges("layers.{i}.downsample."),
        Rename("norm{i}.*", "norms.{i}.*"),
    ),
    buffers=window_buffers(BLOCKS, square_index),
    unused=(
        "neck.**",
        "rpn_head.**",
        "roi_head.**",
        "bbox_head.**",
        "mask_head.**",
        "decode_head.**",
        "auxiliary_head.**",
    ),
    axes=(2,),
    border="pad",
)


def video(name: str, prefix: str) -> Dialect:
    """Video Swin's names, `prefix` before those of its backbone, whose last norm is our head's."""
    return Dialect(
        name,
        (
            *embedding(f"{prefix}patch_embed."),
            *blocks(f"{prefix}{BLOCKS}", MLP),
            *merges(f"{prefix}layers.{{i}}.downsample."),
            Rename(f"{prefix}norm.*", "head.norm.*"),
            Rename("cls_head.fc_cls.*", "head.classifier.*"),
        ),
        buffers=window_buffers(f"{prefix}{BLOCKS}", square_index),
        axes=(3,),
        clipped_bias="leading",
    )


OPENMMLAB_VIDEO = video("openmmlab-video", "backbone.")
OPENMMLAB_VIDEO_BACKBONE = video("openmmlab-video-backbone", "")
