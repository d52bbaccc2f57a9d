"""Reader of transformers' config.json. No name in it is looked up. Torch-free."""

import math
from typing import Any

from ..core.spec import Size, Spec
from ..errors import DataError
from ..files.typed_json import Settings
from ..models.families import SpecV2
from .hub_configs import RESAMPLING, Facts, build_spec, check_preprocess, reference_windows

KINDS = {"swin": Spec, "donut-swin": Spec, "maskformer-swin": Spec, "swinv2": SpecV2}  # by `model_type`
FRAMING = ("thumbnail", "pad", "align_long_axis")  # Donut's and MaskFormer's way with pages and scenes


def from_transformers(config: Settings, preprocessor: Settings | None) -> Facts:
    """Read the facts from a config.json of transformers."""
    name = config.text("model_type", "")
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise DataError(f"{config.name}: model_type {name!r} is no Swin that swinkit reads (known: {known})")
    activation, epsilon = config.text("hidden_act", "gelu"), config.number("layer_norm_eps", 1e-5, above=0)
    config.require(activation == "gelu", "hidden_act", "'gelu', as in every published Swin")
    config.require(math.isclose(epsilon, 1e-5), "layer_norm_eps", "1e-5, as in every published Swin")
    names = config.part("id2label").values
    return Facts(
        spec=transformers_spec(KINDS[name], config),
        preprocess=None if preprocessor is None else transformers_preprocess(preprocessor),
        labels=tuple(config.by_number("id2label", names)) if names else None,
    )


def transformers_spec(kind: type[Spec], config: Settings) -> Spec:
    """Return the spec; V2 cuts windows to the grids of its `image_size` when built, V1 when it runs."""
    depths = config.integers("depths", (2, 2, 6, 2))
    patch, image = config.size("patch_size", (4, 4)), config.size("image_size", (224, 224))
    grid = tuple(s // p for s, p in zip(image, patch, strict=True))
    side = config.integer("window_size", 7)
    windows: tuple[Size, ...] = ((side, side),) * len(depths)
    fields: dict[str, Any] = {
        "patch": patch,
        "in_channels": config.integer("num_channels", 3),
        "embed_dim": config.integer("embed_dim", 96),
        "depths": depths,
        "num_heads": config.integers("num_heads", (3, 6, 12, 24)),
        "mlp_ratio": config.number("mlp_ratio", 4.0, above=0),
        "qkv_bias": config.flag("qkv_bias", True),
        "absolute_grid": grid if config.flag("use_absolute_embeddings", False) else None,
    }
    if kind is SpecV2:
        windows = tuple((min(side, max(1, grid[0] >> stage)),) * 2 for stage in range(len(depths)))
        fields["pretrained_window_sizes"] = reference_windows(config, windows)
    return build_spec(lambda: kind(**fields, window_sizes=windows), config.name)


def transformers_preprocess(preprocessor: Settings) -> dict[str, Any] | None:
    """Return the fields of a `Preprocess`; None, with a warning, where it cannot express them."""
    size, cropped = preprocessor.get("size", None), preprocessor.flag("do_center_crop", False)
    shortest = isinstance(size, dict) and "shortest_edge" in size
    crop = preprocessor.get("crop_size", size) if cropped else size
    known = (not shortest or cropped) and (shortest or not cropped) and crop is not None
    known = known and all(preprocessor.flag(f"do_{step}", True) for step in ("resize", "rescale"))
    known = known and "crop_pct" not in preprocessor.values
    factor = preprocessor.number("rescale_factor", 1 / 255, above=0)
    known = known and math.isclose(factor, 1 / 255, rel_tol=1e-4)
    known = known and not preprocessor.get("rescale_offset", False)
    known = known and not any(preprocessor.flag(f"do_{step}", False) for step in FRAMING)
    normed = preprocessor.flag("do_normalize", True)
    number = preprocessor.integer("resample", 2, least=0)
    fields = {
        "crop": read_size(preprocessor, crop) if known else (1, 1),
        "resize": Settings(preprocessor.name, size).integer("shortest_edge", 1) if shortest else None,
        "interpolation": RESAMPLING.get(number, str(number)),
        "mean": preprocessor.colours("image_mean", (0.485, 0.456, 0.406)) if normed else (0.0,) * 3,
        "std": preprocessor.colours("image_std", (0.229, 0.224, 0.225), above=0) if normed else (1.0,) * 3,
    }
    return check_preprocess(fields, known, preprocessor.name)


def read_size(preprocessor: Settings, value: Any) -> Size:
    """Return (h, w) of a size in transformers' layout: {"height": h, "width": w}, or one number."""
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    return preprocessor.pair("size", value)
