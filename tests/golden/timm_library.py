"""huggingface/pytorch-image-models: V1 and V2.

timm settles windows and shifts at construction, per axis, from img_size. Given that very size, our
"roll-first" border decides the same at run time. With `always_partition`, or with free input sizes, what was
settled stays.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.core.borders import clip_axes
from swinkit.core.spec import Size, Spec
from swinkit.core.windows import RollThenPad
from swinkit.models.build import build
from swinkit.models.families import SpecV2
from tests.models.small import Headed

from .case import NotCovered
from .options import complete, numbers, sizes
from .reference import Reference
from .trace import Trace, channels_first

COMMON: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 4,
    "in_chans": 3,
    "num_classes": 1000,
    "global_pool": "avg",
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "always_partition": False,
    "strict_img_size": True,
    "dynamic_img_size": False,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "drop_rate": 0.0,
    "proj_drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "drop_path_rate": 0.1,
    "norm_layer": None,
}
V1 = {**COMMON, "head_dim": None, "weight_init": ""}
V2 = {**COMMON, "act_layer": None, "pretrained_window_sizes": [0, 0, 0, 0]}


def v1(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformer`; heads of a width of their own are not covered, nor unequal MLPs."""
    options = complete(constructor, V1)
    head_widths = each(options["head_dim"], len(options["depths"]))
    for stage, (width, heads) in enumerate(zip(head_widths, options["num_heads"], strict=True)):
        if width not in (None, options["embed_dim"] * 2**stage // heads):
            raise NotCovered(f"head_dim {width}, where it is not channels / heads")
    ratios = set(each(options["mlp_ratio"], len(options["depths"])))
    if len(ratios) > 1:
        raise NotCovered(f"a mlp_ratio for each stage {options['mlp_ratio']}")
    options["mlp_ratio"] = ratios.pop()
    windows, shifts = settled(options)
    backbone = build(Spec(**spec(options), window_sizes=windows))
    return reference("timm_swin", options, backbone, shifts)


def v2(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformerV2`; a pretrained window of 0 means the stage's own."""
    options = complete(constructor, V2)
    windows, shifts = settled(options)
    pretrained = [sizes(w) for w in options["pretrained_window_sizes"]]
    units = tuple(p if p[0] > 0 else w for p, w in zip(pretrained, windows, strict=False))
    backbone = build(SpecV2(**spec(options), window_sizes=windows, pretrained_window_sizes=units))
    return reference("timm_swinv2", options, backbone, shifts)


def reference(kind: str, options: dict[str, Any], backbone: Swin, shifts: tuple[Size, ...]) -> Reference:
    """Return the model with its borders, and its tensors' names."""
    model = headed(options, backbone, shifts)
    pooled = options["global_pool"] == "avg"
    return Reference(kind, model, "timm", names if pooled else unpooled(model))


def headed(options: dict[str, Any], backbone: Swin, shifts: tuple[Size, ...]) -> Headed:
    """Return the model with its borders: as shipped, or with the settled numbers."""
    if options["global_pool"] not in ("avg", ""):
        raise NotCovered(f"global_pool {options['global_pool']!r}")
    if options["always_partition"] or options["dynamic_img_size"] or not options["strict_img_size"]:
        for stage, shift in zip(backbone.stages, shifts, strict=True):
            for j, block in enumerate(stage.blocks):
                block.token_mixer.shift = shift if j % 2 else (0,) * len(shift)
                block.token_mixer.border = as_settled
    return Headed(backbone, options["num_classes"], options["drop_rate"])


def as_settled(grid: Size, window: Size, shift: Size) -> RollThenPad:
    """Whatever the grid, the window and shift that were settled."""
    return RollThenPad(tuple(grid), window, shift)


def spec(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of our `Spec` but the windows."""
    return {
        **numbers(
            options, dropout="proj_drop_rate", attention_dropout="attn_drop_rate", drop_path="drop_path_rate"
        ),
        "patch": sizes(options["patch_size"]),
        "in_channels": options["in_chans"],
        "qkv_bias": options["qkv_bias"],
        "border": "roll-first",
    }


def settled(options: dict[str, Any]) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """Return the window of each stage, and the shift of its odd blocks."""
    grid, windows, shifts = grid_of(options), [], []
    for stage, window in enumerate(stage_windows(options["window_size"], len(options["depths"]))):
        shift = tuple(w // 2 for w in window)
        if not options["always_partition"]:
            window, shift = clip_axes(tuple(-(-g // 2**stage) for g in grid), window, shift)
        windows.append(window)
        shifts.append(shift)
    return tuple(windows), tuple(shifts)


def grid_of(options: dict[str, Any]) -> Size:
    """Return the patches of a picture of the size that the model is built for."""
    patch = sizes(options["patch_size"])
    return tuple(size // p for size, p in zip(sizes(options["img_size"]), patch, strict=True))


def stage_windows(given: int | list, stages: int) -> list[Size]:
    """One for all, (h, w) for all, or one for each stage; two numbers are (h, w)."""
    if isinstance(given, int) or (len(given) == 2 and isinstance(given[0], int)):
        return [sizes(given)] * stages
    return [sizes(window) for window in given]


def each(value: float | list | None, stages: int) -> list:
    """timm takes one value for all stages, or one for each."""
    return list(value) if isinstance(value, list | tuple) else [value] * stages


def names(found: Trace) -> dict[str, Tensor]:
    """Channels last, the intermediates channels first."""
    named = {f"stage{i}.out": x for i, x in enumerate(found.features)}
    named |= {f"stage{i}.block{j}": x for (i, j), x in found.blocks.items()}
    named |= {f"intermediate{i}_nchw": channels_first(x) for i, x in enumerate(found.features)}
    named |= {"patch_embed": found.embedded, "forward_features": found.normed}
    return named | {"pre_logits": found.pooled, "logits": found.logits}


def unpooled(model: Headed) -> Callable[[Trace], dict[str, Tensor]]:
    """Without pooling, `model` classifies every place of the last grid (timm 1.0.31)."""

    def found_names(found: Trace) -> dict[str, Tensor]:
        return names(found) | {"pre_logits": found.normed, "logits": model.head.classifier(found.normed)}

    return found_names
