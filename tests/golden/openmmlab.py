"""The official forks on OpenMMLab: the dense backbones (detection, segmentation) and Video Swin."""

from typing import Any

from torch import Tensor

from swinkit.core.spec import Spec
from swinkit.errors import DataError
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build
from tests.models.small import Headed

from .case import NotCovered
from .options import TINY, complete, numbers, sizes
from .reference import Reference
from .trace import Trace, channels_first, tokens

COMMON: dict[str, Any] = {
    "type": "SwinTransformer",
    "patch_size": 4,
    "in_chans": 3,
    **TINY,
    "qk_scale": None,
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "drop_path_rate": 0.2,
    "norm_layer": None,
    "patch_norm": True,
    "frozen_stages": -1,
    "use_checkpoint": False,
}
DENSE = {**COMMON, "pretrain_img_size": 224, "ape": False, "out_indices": [0, 1, 2, 3]}
VIDEO = {
    **COMMON,
    "type": "SwinTransformer3D",
    "pretrained": None,
    "pretrained2d": True,
    "patch_size": [4, 4, 4],
    "window_size": [2, 7, 7],
    "patch_norm": False,
}
I3D_HEAD: dict[str, Any] = {
    "type": "I3DHead",
    "num_classes": None,
    "in_channels": None,
    "loss_cls": None,
    "spatial_type": "avg",
    "dropout_ratio": 0.5,
    "init_std": 0.01,
}


def dense(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformer` of mmdet/ and mmseg/models/backbones/swin_transformer.py."""
    options = complete(constructor, DENSE)
    patch = sizes(options["patch_size"])
    grid = tuple(size // p for size, p in zip(sizes(options["pretrain_img_size"]), patch, strict=True))
    spec = Spec(**common(options, axes=2), border="pad", absolute_grid=grid if options["ape"] else None)
    return Reference(
        "det_backbone",
        Pyramid(build(spec), sorted(set(options["out_indices"]))),
        "openmmlab-fork",
        dense_names,
    )


def dense_names(found: Trace) -> dict[str, Tensor]:
    """Un-normed stages as B, L, C; normed ones as B, C, H, W."""
    named = {f"stage{i}.pre_norm": tokens(x) for i, x in enumerate(found.features)}
    named |= {f"stage{i}.block{j}": tokens(x) for (i, j), x in found.blocks.items()}
    return (
        {"patch_embed": channels_first(found.embedded)}
        | named
        | {f"out{i}": x for i, x in found.maps.items()}
    )


def video(constructor: dict[str, Any]) -> Reference:
    """`Recognizer3D(SwinTransformer3D, I3DHead)`, or the bare backbone."""
    alone = "backbone" not in constructor
    options = complete(constructor if alone else constructor["backbone"], VIDEO)
    head = complete({} if alone else constructor.get("cls_head", constructor.get("head", {})), I3D_HEAD)
    if head["spatial_type"] != "avg":
        raise NotCovered(f"a head with spatial_type {head['spatial_type']!r}")
    if not alone and not head["num_classes"]:
        raise DataError("the head of the constructor does not say num_classes")
    spec = Spec(**common(options, axes=3), merge=(1, 2, 2), border="clip", clipped_bias="leading")
    model = Headed(build(spec), head["num_classes"] or 0, head["dropout_ratio"])
    dialect = "openmmlab-video-backbone" if alone else "openmmlab-video"
    return Reference("video_swin", model, dialect, video_names)


def video_names(found: Trace) -> dict[str, Tensor]:
    """Blocks channels last, everything else channels first."""
    named = {"patch_embed": channels_first(found.embedded), "features": channels_first(found.normed)}
    named |= {f"stage{i}.block{j}": x for (i, j), x in found.blocks.items()}
    named |= {f"stage{i}.out": channels_first(found.out(i)) for i in range(len(found.features))}
    return named | {"logits": found.logits}


def common(options: dict[str, Any], axes: int) -> dict[str, Any]:
    """Return the fields of our `Spec` that both have."""
    return {
        **numbers(
            options, dropout="drop_rate", attention_dropout="attn_drop_rate", drop_path="drop_path_rate"
        ),
        "patch": sizes(options["patch_size"], axes),
        "in_channels": options["in_chans"],
        "qkv_bias": options["qkv_bias"],
        "qk_scale": options["qk_scale"],
        "window_sizes": (sizes(options["window_size"], axes),) * len(options["depths"]),
        "patch_norm": options["patch_norm"],
    }
