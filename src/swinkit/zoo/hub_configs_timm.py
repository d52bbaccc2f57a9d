"""Reader of timm's config.json on the hub. No name in it is looked up. Torch-free.

`weights/configs.py` writes what this module reads.
"""

import math
from dataclasses import replace
from typing import Any

from ..core.spec import Size, Spec
from ..errors import DataError
from ..files.typed_json import MOST_CLASSES, Settings
from ..models.catalogue import canonical_name
from ..models.families import SpecCR, SpecV2
from ..models.specs import VARIANTS
from .hub_configs import Facts, build_spec, check_preprocess, reference_windows, require_known

LEFT_ALONE = {  # arguments of timm's constructors that change nothing in an evaluation
    *("num_classes", "drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"),
    *("strict_img_size", "dynamic_img_size", "weight_init", "init_values"),
}
HEEDED = {
    *("img_size", "patch_size", "in_chans", "embed_dim", "depths", "num_heads", "window_size", "mlp_ratio"),
    *("qkv_bias", "pretrained_window_sizes", "extra_norm_period", "extra_norm_stage", "global_pool"),
}
CONFIG = {  # fields beside the arguments that are read, or follow from what is read
    *("architecture", "num_classes", "num_features", "global_pool", "model_args", "pretrained_cfg"),
    *("label_names", "label_descriptions"),
}
PUBLISHED = {  # fields of `pretrained_cfg`: origin, evaluation and classes of the weights
    *("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture", "tag"),
    *("custom_load", "input_size", "test_input_size", "min_input_size", "fixed_input_size", "interpolation"),
    *("crop_pct", "test_crop_pct", "crop_mode", "mean", "std", "num_classes", "label_offset", "label_names"),
    *("label_descriptions", "pool_size", "test_pool_size", "first_conv", "classifier", "license"),
    *("description", "origin_url", "paper_name", "paper_ids", "notes"),
}
FLAT = {"labels", "hf_hub", "num_features"}  # of the layout of the first years
CR_RATIO = 8  # windows along an axis of the first stage's grid, in timm's V2-CR


def from_timm(config: Settings) -> Facts:
    """Read the facts from timm's layout, also from the flat one of its first years."""
    architecture = config.text("architecture", "")
    variant = canonical_name(architecture)
    if variant is None:
        raise DataError(f"{config.name}: {architecture!r} is no Swin of timm that swinkit supports")
    arguments = config.part("model_args")
    unknown = sorted(set(arguments.values) - LEFT_ALONE - HEEDED)
    if unknown:
        raise DataError(f"{arguments.name}: {', '.join(unknown)} make a model that swinkit lacks")
    published = config.part("pretrained_cfg") if "pretrained_cfg" in config.values else config
    require_known(config, CONFIG if published is not config else CONFIG | PUBLISHED | FLAT)
    if published is not config:
        require_known(published, PUBLISHED)
    offset = published.integer("label_offset", 0, least=0)
    published.require(not offset, "label_offset", "0: no class is cut from a head")
    for settings in (config, arguments):
        pool = settings.text("global_pool", "avg")
        settings.require(pool == "avg", "global_pool", "'avg', as the heads of swinkit pool")
    shape = published.listed("input_size", (3, *VARIANTS[variant].size))
    published.require(len(shape) == 3, "input_size", "three numbers, (channels, height, width)")
    size = arguments.size("img_size", published.pair("input_size", shape[1:]))
    return Facts(
        spec=timm_spec(VARIANTS[variant].spec, VARIANTS[variant].size, arguments, size),
        size=size,
        preprocess=timm_preprocess(published, size),
        labels=timm_labels(config, published),
    )


def timm_spec(base: Spec, usual: Size, arguments: Settings, size: Size) -> Spec:
    """Return `base` with what `arguments` change, built as timm builds it for inputs of `size` pixels."""
    depths = arguments.integers("depths", base.depths)
    patch = arguments.size("patch_size", base.patch)
    same = size == usual and depths == base.depths and patch == base.patch
    changes: dict[str, Any] = {
        "patch": patch,
        "in_channels": arguments.integer("in_chans", base.in_channels),
        "embed_dim": arguments.integer("embed_dim", base.embed_dim),
        "depths": depths,
        "num_heads": arguments.integers("num_heads", base.num_heads),
        "mlp_ratio": arguments.number("mlp_ratio", base.mlp_ratio, above=0),
        "qkv_bias": arguments.flag("qkv_bias", base.qkv_bias),
    }
    if not same or "window_size" in arguments.values:
        changes["window_sizes"] = timm_windows(base, arguments, size, patch, len(depths))
    if isinstance(base, SpecV2) and "pretrained_window_sizes" in arguments.values:
        windows = changes.get("window_sizes", base.window_sizes)
        changes["pretrained_window_sizes"] = reference_windows(arguments, windows)
    if isinstance(base, SpecCR):
        period = arguments.integer("extra_norm_period", base.norm_every or 0, least=0)
        changes["norm_every"] = period or None
        changes["norm_stages"] = arguments.flag("extra_norm_stage", base.norm_stages)
    return build_spec(lambda: replace(base, **changes), arguments.name)


def timm_windows(base: Spec, arguments: Settings, size: Size, patch: Size, stages: int) -> tuple[Size, ...]:
    """Return the window of each stage, cut to its grid as timm cuts it when it builds."""
    grid = tuple(s // p for s, p in zip(size, patch, strict=True))
    largest = max(base.window_sizes)
    if isinstance(base, SpecCR):
        largest = tuple(max(1, side // CR_RATIO) for side in grid)
    asked = arguments.sizes("window_size", largest, stages)
    return clip_windows(asked, grid)


def clip_windows(windows: list[Size], grid: Size) -> tuple[Size, ...]:
    """Limit each window to the grid of its stage; `grid` is that of the first."""
    found = []
    for window in windows:
        found.append(tuple(min(w, g) for w, g in zip(window, grid, strict=True)))
        grid = tuple((side + 1) // 2 for side in grid)
    return tuple(found)


def timm_labels(config: Settings, published: Settings) -> tuple[str, ...] | None:
    """Return the names of the classes, or their descriptions (ImageNet's names are WordNet numbers)."""
    holder = config if "label_names" in config.values else published
    names = holder.get("label_names", None)
    if names is None:
        return None
    if isinstance(names, dict):
        names = holder.by_number("label_names", names)
    descriptions = holder.part("label_descriptions").values
    holder.require(isinstance(names, list) and len(names) <= MOST_CLASSES, "label_names", "a list of texts")
    holder.require(all(isinstance(name, str) for name in names), "label_names", "a list of texts")
    return tuple(str(descriptions.get(name, name)) for name in names)


def timm_preprocess(published: Settings, size: Size) -> dict[str, Any] | None:
    """Return the fields of a `Preprocess`; None, with a warning, where it cannot express timm's."""
    mode = published.text("crop_mode", "center")
    fraction = published.number("crop_pct", 0.875, above=0, most=100)
    fields = {
        "crop": size,
        "resize": None if mode == "squash" else math.floor(min(size) / fraction),
        "interpolation": published.text("interpolation", "bicubic"),
        "mean": published.colours("mean", (0.485, 0.456, 0.406)),
        "std": published.colours("std", (0.229, 0.224, 0.225), above=0),
    }
    known = (mode == "squash" and fraction == 1) or (mode == "center" and size[0] == size[1])
    return check_preprocess(fields, known, published.name)
