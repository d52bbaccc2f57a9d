"""pytorch/vision: V1, V2 and 3-D."""

from functools import partial
from typing import Any

from torch import Tensor

from swinkit.core.spec import Size, Spec
from swinkit.models.build import build
from swinkit.models.families import SpecV2
from tests.models.small import Headed

from .options import complete, numbers, sizes
from .reference import Reference
from .trace import Trace

IMAGES: dict[str, Any] = {
    "patch_size": None,
    "embed_dim": None,
    "depths": None,
    "num_heads": None,
    "window_size": None,
    "mlp_ratio": 4.0,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "stochastic_depth_prob": 0.1,
    "num_classes": 1000,
    "norm_layer": None,
    "block": None,
    "downsample_layer": None,
}
CLIPS = {**IMAGES, "num_classes": 400, "patch_embed": None}


def v1(constructor: dict[str, Any]) -> Reference:
    """`swin_transformer.SwinTransformer`."""
    return images("tv_swin_v1", "v1", Spec, constructor)


def v2(constructor: dict[str, Any]) -> Reference:
    """With `SwinTransformerBlockV2` and `PatchMergingV2`; offsets are always in units of the own window."""
    return images("tv_swin_v2", "v2", SpecV2, constructor)


def images(kind: str, family: str, spec: type[Spec], constructor: dict[str, Any]) -> Reference:
    """Both 2-D models. They drop the pixels that fill no patch; ours would pad them."""
    options = complete(constructor, IMAGES)
    backbone = build(spec(**common(options, axes=2), border="pad-unshifted"))
    model = Headed(backbone, options["num_classes"])
    return Reference(
        kind, model, "torchvision", image_names, prepare=partial(whole_patches, patch=backbone.spec.patch)
    )


def v3d(constructor: dict[str, Any]) -> Reference:
    """`video.swin_transformer.SwinTransformer3d`."""
    options = complete(constructor, CLIPS)
    spec = Spec(**common(options, axes=3), merge=(1, 2, 2), border="clip", clipped_bias="leading")
    return Reference("tv_swin3d", Headed(build(spec), options["num_classes"]), "torchvision-3d", clip_names)


def common(options: dict[str, Any], axes: int) -> dict[str, Any]:
    """Return the fields of our `Spec` that all have."""
    return {
        **numbers(
            options,
            dropout="dropout",
            attention_dropout="attention_dropout",
            drop_path="stochastic_depth_prob",
        ),
        "patch": sizes(options["patch_size"], axes),
        "window_sizes": (sizes(options["window_size"], axes),) * len(options["depths"]),
    }


def whole_patches(pixels: Tensor, patch: Size) -> Tensor:
    """(B, C, *P) -> the same without the last rows and columns that fill no patch."""
    return pixels[(..., *(slice(size // p * p) for size, p in zip(pixels.shape[2:], patch, strict=True)))]


def clip_names(found: Trace) -> dict[str, Tensor]:
    """Channels last: `features` holds a stage, its merging, the next stage, ..."""
    rows = [
        x for i, stage in enumerate(found.features) for x in (stage, found.merged.get(i)) if x is not None
    ]
    named = {f"features.{i}": x for i, x in enumerate(rows)}
    named |= {f"features.{2 * i}.{j}": x for (i, j), x in found.blocks.items()}
    return named | {"patch_embed": found.embedded, "norm": found.normed, "logits": found.logits}


def image_names(found: Trace) -> dict[str, Tensor]:
    """As for clips, but here the first of `features` is the patch embedding."""
    rows = [
        x for i, stage in enumerate(found.features) for x in (stage, found.merged.get(i)) if x is not None
    ]
    named = {f"features.{i}": x for i, x in enumerate([found.embedded, *rows])}
    named |= {f"features.{2 * i + 1}.{j}": x for (i, j), x in found.blocks.items()}
    return named | {"norm": found.normed, "logits": found.logits}
