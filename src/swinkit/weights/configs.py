"""Settings that other libraries need beside weights: constructor arguments for a `Spec`, and JSON files.

One place serves all that write such files (`swinkit convert`, `swinkit push`) and the proofs that build the
models. Specs that a library cannot build are refused by `unsupported` first.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.spec import Size, Spec
from ..models.config import family_of
from ..models.families import SpecV2
from . import unsupported as limits

TIMM_ENTRIES = {  # of timm's registry; the arguments beside them replace every default
    "v1": "swin_tiny_patch4_window7_224",
    "v2": "swinv2_tiny_window8_256",
    "v2-cr": "swinv2_cr_tiny_224",
}
TRANSFORMERS_NAMES = {"v1": "Swin", "v2": "Swinv2"}
CLASSIFIER, BACKBONE, RECONSTRUCTION, BARE = (
    "ForImageClassification",
    "Backbone",
    "ForMaskedImageModeling",
    "Model",
)
RESAMPLE = {"bilinear": 2, "bicubic": 3}  # Pillow's numbers, which transformers saves


def uncut_size(spec: Spec, wanted: Size, *, one_window: bool) -> Size:
    """Return a size in pixels for which a library that cuts windows to its grids keeps those of `spec`.

    `wanted` if it does, else the smallest there is. With `one_window` the library has one window, and the
    others must follow from it and the size. An absolute embedding fixes the size.
    """
    if spec.absolute_grid is not None:
        return times(spec.absolute_grid, spec.patch)
    grid = tuple(side // patch for side, patch in zip(wanted, spec.patch, strict=True))
    stages = enumerate(spec.window_sizes)
    uncut = all(g // 2**i >= w for i, window in stages for g, w in zip(grid, window, strict=True))
    if limits.follow(spec.window_sizes, grid) if one_window else uncut:
        return wanted
    return times(limits.smallest_grid(spec.window_sizes, spec.merge), spec.patch)


def times(grid: Size, patch: Size) -> Size:
    """Convert tokens to pixels, for each axis."""
    return tuple(g * p for g, p in zip(grid, patch, strict=True))


def timm_cannot(spec: Spec, size: Size) -> str | None:
    """Return why timm has no model of `spec` for inputs of `size` pixels; None if it has one."""
    reason = (limits.TIMM_CR if family_of(spec) == "v2-cr" else limits.TIMM)(spec)
    if reason is None and uncut_size(spec, size, one_window=False) != size:
        return f"it cuts windows to the grid, and some of {spec.window_sizes} are larger at {size} pixels"
    return reason


def timm_arguments(spec: Spec, size: Size, num_classes: int) -> dict[str, Any]:
    """Return the arguments of timm's `SwinTransformer`, `SwinTransformerV2` or `SwinTransformerV2Cr`.

    `size` must be uncut. Windows that differ from stage to stage need a timm that takes one for each.
    """
    squares = all(len(set(window)) == 1 for window in spec.window_sizes)
    alike = squares and len(set(spec.window_sizes)) == 1
    arguments = {
        "img_size": list(size),
        "patch_size": number_or_pair(spec.patch),
        "in_chans": spec.in_channels,
        "num_classes": num_classes,
        "embed_dim": spec.embed_dim,
        "depths": list(spec.depths),
        "num_heads": list(spec.num_heads),
        "window_size": spec.window_sizes[0][0] if alike else [list(window) for window in spec.window_sizes],
        "mlp_ratio": spec.mlp_ratio,
        "proj_drop_rate": spec.dropout,
        "attn_drop_rate": spec.attention_dropout,
        "drop_path_rate": spec.drop_path,
    }
    family = family_of(spec)
    if family == "v2-cr":
        arguments |= {
            "extra_norm_period": getattr(spec, "norm_every", None) or 0,
            "extra_norm_stage": getattr(spec, "norm_stages", False),
        }
    else:
        arguments["qkv_bias"] = spec.qkv_bias
    if isinstance(spec, SpecV2):
        arguments["pretrained_window_sizes"] = pretrained_windows(spec)
    return arguments


def pretrained_windows(spec: SpecV2) -> list[Any]:
    """Return each stage's pre-training window as timm and transformers write it; 0 for the stage's own."""
    return [number_or_pair(window) for window in spec.pretrained_window_sizes or ((0, 0),) * len(spec.depths)]


def number_or_pair(size: Size) -> int | list[int]:
    """Return one number for a square, else the pair."""
    return size[0] if len(set(size)) == 1 else list(size)


def torchvision_arguments(spec: Spec, num_classes: int) -> dict[str, Any]:
    """Return the arguments of torchvision's `SwinTransformer` and `SwinTransformer3d`."""
    return {
        "patch_size": list(spec.patch),
        "embed_dim": spec.embed_dim,
        "depths": list(spec.depths),
        "num_heads": list(spec.num_heads),
        "window_size": list(spec.window_sizes[0]),
        "mlp_ratio": spec.mlp_ratio,
        "dropout": spec.dropout,
        "attention_dropout": spec.attention_dropout,
        "stochastic_depth_prob": spec.drop_path,
        "num_classes": num_classes,
    }


def transformers_arguments(spec: Spec, size: Size) -> dict[str, Any]:
    """Return the arguments of transformers' `SwinConfig` or `Swinv2Config`. `size` must be uncut."""
    arguments = {
        "image_size": number_or_pair(size),
        "patch_size": number_or_pair(spec.patch),
        "num_channels": spec.in_channels,
        "embed_dim": spec.embed_dim,
        "depths": list(spec.depths),
        "num_heads": list(spec.num_heads),
        "window_size": max(window[0] for window in spec.window_sizes),
        "mlp_ratio": spec.mlp_ratio,
        "qkv_bias": spec.qkv_bias,
        "hidden_dropout_prob": spec.dropout,
        "attention_probs_dropout_prob": spec.attention_dropout,
        "drop_path_rate": spec.drop_path,
        "use_absolute_embeddings": spec.absolute_grid is not None,
        "encoder_stride": spec.strides[-1][0],
    }
    if isinstance(spec, SpecV2):
        arguments["pretrained_window_sizes"] = pretrained_windows(spec)
    return arguments


def timm_config(
    spec: Spec, size: Size, labels: Sequence[str], preprocess: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the `config.json` from which `timm.create_model` builds the model (local-dir: or hf-hub:).

    `preprocess` holds the fields of `data.preprocess.Preprocess`; None leaves timm its usual ones.
    """
    pictures: dict[str, Any] = {}
    if preprocess is not None:
        pictures = {
            "interpolation": preprocess["interpolation"],
            "mean": list(preprocess["mean"]),
            "std": list(preprocess["std"]),
            "crop_pct": 1.0
            if preprocess["resize"] is None
            else share(preprocess["crop"], preprocess["resize"]),
            "crop_mode": "squash" if preprocess["resize"] is None else "center",
        }
    arguments = timm_arguments(spec, size, len(labels))
    del arguments["num_classes"]  # transformers takes it separately, and only once
    return {
        "architecture": TIMM_ENTRIES[family_of(spec)],
        "num_classes": len(labels),
        "num_features": spec.widths[-1],
        "global_pool": "avg",
        **({"label_names": list(labels)} if labels else {}),
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [spec.in_channels, *size],
            "fixed_input_size": True,
            "num_classes": len(labels),
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head.fc",
            **pictures,
        },
    }


def share(crop: Sequence[int], resize: int) -> float:
    """Return the share of the shorter side that is kept, such that timm's rounding gives `resize` back."""
    shorter = min(crop)
    part = shorter / resize
    return part if math.floor(shorter / part) == resize else math.nextafter(part, 0)


def transformers_config(
    spec: Spec,
    size: Size,
    kind: str,
    labels: Sequence[str] = (),
    outputs: Sequence[int] = (),
    problem: str | None = None,
) -> dict[str, Any]:
    """Return the `config.json` that transformers' `from_pretrained` reads.

    `kind` is CLASSIFIER, BACKBONE (which gives out the stages `outputs`), RECONSTRUCTION or BARE.
    `problem` is what a classifier answers; None for one class.
    """
    name = TRANSFORMERS_NAMES[family_of(spec)]
    config = {"architectures": [f"{name}{kind}"], "model_type": name.lower()} | transformers_arguments(
        spec, size
    )
    if labels:
        config["id2label"] = {str(index): label for index, label in enumerate(labels)}
        config["label2id"] = {label: index for index, label in enumerate(labels)}
    if problem is not None:
        config["problem_type"] = problem
    if outputs:
        config["out_features"] = [f"stage{stage + 1}" for stage in outputs]
    return config


def preprocessor_config(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `preprocessor_config.json` that makes `AutoImageProcessor` prepare pictures as we do."""
    height, width = preprocess["crop"]
    crop, resize = {"height": height, "width": width}, preprocess["resize"]
    squeezed = {"image_processor_type": "ViTImageProcessor", "size": crop}
    cropped = {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": resize},
        "do_center_crop": True,
        "crop_size": crop,
    }
    return {
        **(squeezed if resize is None else cropped),
        "do_resize": True,
        "resample": RESAMPLE[preprocess["interpolation"]],
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess["mean"]),
        "image_std": list(preprocess["std"]),
    }
