"""Small models of every family and number of axes, whose every parameter matters."""

import torch
from torch import nn

from swinkit.core.backbone import Swin
from swinkit.core.spec import BORDER_NAMES, MIXING_BORDER_NAMES, Size, Spec
from swinkit.heads.classify import ClassificationHead
from swinkit.models.build import build
from swinkit.models.families import SpecCR, SpecMLP, SpecMoE, SpecV2

PICTURE: Size = (61, 83)
PIXELS: dict[str, Size] = {
    **dict.fromkeys(("v1", "v2", "v2-cr", "mlp", "moe"), PICTURE),
    "video": (5, 44, 56),
    "signal": (75,),
}
KINDS: dict[str, type[Spec]] = {"v2": SpecV2, "v2-cr": SpecCR, "mlp": SpecMLP, "moe": SpecMoE}
NUMBERS: dict[str, dict[str, object]] = {
    "video": {"patch": (2, 4, 4), "merge": (1, 2, 2)},
    "signal": {"patch": (4,), "merge": (2,)},
    "v2-cr": {"norm_stages": True},
    "moe": {"moe_blocks": ((1,), (0, 1)), "num_experts": 3, "capacity_factor": 0.0},  # no token is dropped
}


def spec(family: str = "v1", **changes: object) -> Spec:
    """Two stages of two blocks, windows of 4 per axis; "signal" is a V1 of one axis."""
    axes = {"video": 3, "signal": 1}.get(family, 2)
    numbers = {"embed_dim": 12, "depths": (2, 2), "num_heads": (2, 4), "window_sizes": ((4,) * axes,) * 2}
    return KINDS.get(family, Spec)(**{**numbers, **NUMBERS.get(family, {}), **changes})


def borders_of(family: str) -> tuple[str, ...]:
    """Return the border policies that a family has."""
    return MIXING_BORDER_NAMES if family == "mlp" else BORDER_NAMES


def dropouts(family: str, rate: float) -> dict[str, float]:
    """Every dropout that a family has."""
    rates = {"dropout": rate, "attention_dropout": rate, "drop_path": rate, "expert_dropout": rate}
    absent = {"mlp": ("attention_dropout",)}.get(family, ())
    return {
        field: value
        for field, value in rates.items()
        if field not in absent and (field != "expert_dropout" or family == "moe")
    }


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


class Headed(nn.Module):
    """A backbone and a head, named as in a saved classifier; 0 classes leave the classifier out."""

    def __init__(self, backbone: Swin, num_classes: int = 5, dropout: float = 0.0):
        super().__init__()
        self.backbone = backbone
        self.head = ClassificationHead(backbone.spec.widths[-1], max(num_classes, 1), dropout)
        if num_classes == 0:
            self.head.classifier = nn.Identity()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute logits: (B, in_channels, *P) -> (B, K)."""
        return self.head(self.backbone(pixels)[-1])


def pixels(family: str = "v1", size: Size | None = None, channels: int = 3) -> torch.Tensor:
    """Two inputs."""
    return torch.randn(2, channels, *(size or PIXELS[family]))
