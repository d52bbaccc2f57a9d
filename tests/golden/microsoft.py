"""microsoft/Swin-Transformer: the classifiers of V1, V2 and Swin-MLP.

Windows are settled at construction: where one covers the shorter axis of a stage's grid, it shrinks to that
axis, on both axes. Our "square" border does the same at run time; only tables need the small windows before.
"""

from typing import Any

from torch import Tensor

from swinkit.core.spec import Size, Spec
from swinkit.models.build import build
from swinkit.models.families import SpecMLP, SpecV2
from tests.models.small import Headed

from .options import TINY, complete, numbers, sizes
from .reference import Reference
from .trace import Trace, tokens

COMMON: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 4,
    "in_chans": 3,
    "num_classes": 1000,
    **TINY,
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "drop_path_rate": 0.1,
    "norm_layer": None,
    "ape": False,
    "patch_norm": True,
    "use_checkpoint": False,
}
V1 = {**COMMON, "qk_scale": None, "fused_window_process": False}
V2 = {**COMMON, "pretrained_window_sizes": [0, 0, 0, 0]}
OF_ATTENTION = {"qkv_bias": True, "attn_drop_rate": 0.0}


def v1(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformer` of models/swin_transformer.py."""
    options = complete(constructor, V1)
    backbone = build(Spec(**spec(options), qk_scale=options["qk_scale"]))
    kind = "swin_v1_ape" if options["ape"] else "swin_v1"
    return Reference(kind, Headed(backbone, options["num_classes"]), "microsoft", names)


def v2(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformerV2` of models/swin_transformer_v2.py; a pretrained window of 0 is the stage's own."""
    options = complete(constructor, V2)
    common = spec(options)
    return Reference(
        "swin_v2",
        Headed(
            build(SpecV2(**common, pretrained_window_sizes=references(options, common["window_sizes"]))),
            options["num_classes"],
        ),
        "microsoft",
        names,
    )


def mlp(constructor: dict[str, Any]) -> Reference:
    """`SwinMLP` of models/swin_mlp.py; it takes options of attention and ignores them."""
    options = {**complete(constructor, V1), **OF_ATTENTION}
    backbone = build(SpecMLP(**spec(options)))
    return Reference("swin_mlp", Headed(backbone, options["num_classes"]), "microsoft", names)


def spec(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of our `Spec`."""
    patch = sizes(options["patch_size"])
    grid = tuple(size // p for size, p in zip(sizes(options["img_size"]), patch, strict=True))
    return {
        **numbers(
            options, dropout="drop_rate", attention_dropout="attn_drop_rate", drop_path="drop_path_rate"
        ),
        "patch": patch,
        "in_channels": options["in_chans"],
        "qkv_bias": options["qkv_bias"],
        "window_sizes": tuple(
            shrunk(grid, options["window_size"], stage) for stage in range(len(options["depths"]))
        ),
        "absolute_grid": grid if options["ape"] else None,
        "patch_norm": options["patch_norm"],
        "border": "square",
    }


def shrunk(grid: Size, window: int | list[int], stage: int) -> Size:
    """Return the window of a stage: no larger than the shorter axis of its grid."""
    shortest = min(g // 2**stage for g in grid)
    return tuple(min(shortest, w) for w in sizes(window))


def references(options: dict[str, Any], windows: tuple[Size, ...]) -> tuple[Size, ...]:
    """Return the window in whose units a stage measures offsets."""
    given = [sizes(w) for w in options["pretrained_window_sizes"]]
    return tuple(g if g[0] > 0 else w for g, w in zip(given, windows, strict=False))


def names(found: Trace) -> dict[str, Tensor]:
    """Everything as B, L, C."""
    named = {"patch_embed": tokens(found.embedded), "norm": tokens(found.normed)}
    named |= {f"stage{i}.block{j}": tokens(x) for (i, j), x in found.blocks.items()}
    named |= {f"stage{i}.out": tokens(found.out(i)) for i in range(len(found.features))}
    return named | {"features": found.pooled, "logits": found.logits}
