"""Small models of transformers, loud, and ours of the same numbers."""

import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedConfig,
    SwinBackbone,
    SwinConfig,
    SwinForImageClassification,
    SwinForMaskedImageModeling,
    Swinv2Backbone,
    Swinv2Config,
    Swinv2ForImageClassification,
    Swinv2ForMaskedImageModeling,
)

from swinkit.core.spec import Size, Spec
from swinkit.models.families import SpecV2

from .libraries import CLASSES, loud

NUMBERS = {"embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 4, 4)}
CONFIGS = {"v1": SwinConfig, "v2": Swinv2Config}
CLASSIFIERS = {"v1": SwinForImageClassification, "v2": Swinv2ForImageClassification}
BACKBONES = {"v1": SwinBackbone, "v2": Swinv2Backbone}
RECONSTRUCTORS = {"v1": SwinForMaskedImageModeling, "v2": Swinv2ForMaskedImageModeling}
DIALECTS = {"v1": "transformers", "v2": "transformers-v2"}


def library(
    kinds: dict[str, type[nn.Module]],
    family: str,
    size: Size,
    config: type[PreTrainedConfig] | None = None,
    **options: object,
) -> nn.Module:
    """Return a fresh model of transformers for pictures of `size`, because V1's remember sizes."""
    numbers = {name: list(value) if isinstance(value, tuple) else value for name, value in NUMBERS.items()}
    image = size[0] if size[0] == size[1] else list(size)
    options = {"window_size": 4, "num_labels": CLASSES, "image_size": image, **numbers, **options}
    if family == "v2":
        options = {"pretrained_window_sizes": [3, 3, 2], **options}
    config = (Swinv2Config if family == "v2" else SwinConfig)(**options)
    config._attn_implementation = "eager"
    return loud(kinds[family](config))


def spec_of(family: str, size: Size, **changes: object) -> Spec:
    """Ours, with transformers' borders and with the windows that its V2 cuts to the size of its pictures."""
    if family == "v1":
        return Spec(**{**NUMBERS, "window_sizes": ((4, 4),) * 3, "border": "square", **changes})
    sides = [min(4, size[0] // 4 // 2**stage) for stage in range(3)]
    windows = tuple((side, side) for side in sides)
    reference = ((3, 3), (3, 3), (2, 2))
    numbers = {**NUMBERS, "window_sizes": windows, "pretrained_window_sizes": reference, "border": "square"}
    return SpecV2(**{**numbers, **changes})


@torch.no_grad()
def logits(model: nn.Module, pixels: Tensor) -> Tensor:
    """(B, 3, h, w) -> (B, K)."""
    return model(pixels).logits


def gap(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, in units of the largest answer."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
