"""huggingface/pytorch-image-models: V2-CR. Its stages answer channels first, the last one normed."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from swinkit.core.spec import Size
from swinkit.models.build import build
from swinkit.models.families import SpecCR
from tests.models.small import Headed

from .options import complete
from .reference import Reference
from .timm_library import COMMON, each, grid_of, headed, settled, spec
from .trace import Trace, channels_first

OF_OTHERS = ("qkv_bias", "drop_path_rate")  # options that V2-CR does not have, or has with another default
V2_CR = {
    **{option: value for option, value in COMMON.items() if option not in OF_OTHERS},
    "window_size": None,
    "window_ratio": 8,
    "img_window_ratio": None,  # what older versions call the ratio
    "init_values": 0.0,
    "drop_path_rate": 0.0,
    "extra_norm_period": 0,
    "extra_norm_stage": False,
    "sequential_attn": False,
    "weight_init": "reset",
}


def v2_cr(constructor: dict[str, Any]) -> Reference:
    """`SwinTransformerV2Cr`; windows not given are a share of the grid of patches."""
    options = {**complete(constructor, V2_CR), "qkv_bias": True}
    if options["window_size"] is None:
        options["window_size"] = shares(options)
    windows, shifts = settled(options)
    numbers = {
        **spec(options),
        "window_sizes": windows,
        "norm_every": options["extra_norm_period"] or None,
        "norm_stages": bool(options["extra_norm_stage"]),
    }
    model = headed(options, build(SpecCR(**numbers)), shifts)
    pooled = options["global_pool"] == "avg"
    return Reference("timm_swinv2_cr", model, "timm-cr", names if pooled else unpooled(model))


def shares(options: dict[str, Any]) -> list[Size]:
    """Return the window of each stage: the finest grid, divided."""
    ratios = each(options["img_window_ratio"] or options["window_ratio"], len(options["depths"]))
    return [tuple(max(1, side // ratio) for side in grid_of(options)) for ratio in ratios]


def names(found: Trace) -> dict[str, Tensor]:
    """Channels first, but in blocks; the last block's answer is the normed one."""
    features = [*found.features[:-1], found.normed]
    named = {f"stage{i}.block{j}": x for (i, j), x in found.blocks.items()}
    named[f"stage{max(found.blocks)[0]}.block{max(found.blocks)[1]}"] = found.normed
    for i, x in enumerate(features):
        named |= dict.fromkeys((f"stage{i}.out", f"intermediate{i}_nchw"), channels_first(x))
    named |= {"patch_embed": channels_first(found.embedded), "forward_features": channels_first(found.normed)}
    return named | {"pre_logits": found.pooled, "logits": found.logits}


def unpooled(model: Headed) -> Callable[[Trace], dict[str, Tensor]]:
    """Without pooling the classifier, if there is one, is put to the last axis, which is no channels."""

    def found_names(found: Trace) -> dict[str, Tensor]:
        last = channels_first(found.normed)
        return names(found) | {"pre_logits": last, "logits": model.head.classifier(last)}

    return found_names
