"""Small models of every family and number of axes, whose every parameter matters."""

import torch
from torch import nn

from swinkit.core.backbone import Swin
from swinkit.core.spec import Size, Spec
from swinkit.models.build import build
from swinkit.models.families import SpecV2

PIXELS: dict[str, Size] = {"v1": (61, 83), "v2": (61, 83), "video": (5, 44, 56), "signal": (75,)}


def spec(family: str = "v1", **changes: object) -> Spec:
    """Two stages of two blocks, windows of 4 per axis; "signal" is a V1 of one axis."""
    numbers = {"embed_dim": 12, "depths": (2, 2), "num_heads": (2, 4)}
    if family == "video":
        numbers |= {"patch": (2, 4, 4), "merge": (1, 2, 2)}
    if family == "signal":
        numbers |= {"patch": (4,), "merge": (2,)}
    axes = {"video": 3, "signal": 1}.get(family, 2)
    numbers["window_sizes"] = ((4,) * axes,) * 2
    return (SpecV2 if family == "v2" else Spec)(**{**numbers, **changes})


def small(family: str = "v1", **changes: object) -> Swin:
    """Built and stirred, in eval mode: fresh norms and biases are too regular to show a mistake."""
    model = build(spec(family, **changes))
    return stirred(model).eval()


def stirred(model: nn.Module) -> nn.Module:
    """Random values in every parameter, of the usual sizes."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            around = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            wide = parameter.ndim > 1 and parameter.shape[-1] > 1
            parameter.normal_(around, parameter[0].numel() ** -0.5 if wide else 0.2)
    return model


def pixels(family: str = "v1", size: Size | None = None, channels: int = 3) -> torch.Tensor:
    """Two inputs."""
    return torch.randn(2, channels, *(size or PIXELS[family]))
