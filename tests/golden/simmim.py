"""microsoft/Swin-Transformer: masked image modelling with V1 and V2."""

from typing import Any

import torch
from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.core.spec import Spec
from swinkit.models.build import build
from swinkit.models.families import SpecV2
from swinkit.tasks.simmim.losses import locally_normed
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking

from . import microsoft
from .case import Case, NotCovered
from .options import complete
from .reference import Reference

GRADIENTS_TIMES = 1000  # gradients are stored multiplied by this
OPTIONS: dict[str, Any] = {"encoder": {}, "encoder_stride": 32, "norm_target_patch_size": 47}


def v1(constructor: dict[str, Any]) -> Reference:
    """`SimMIM` of a `SwinTransformerForSimMIM`."""
    options = complete(constructor, OPTIONS)
    encoder = complete(options["encoder"], microsoft.V1)
    return reference("simmim_v1", options, Spec(**microsoft.spec(encoder), qk_scale=encoder["qk_scale"]))


def v2(constructor: dict[str, Any]) -> Reference:
    """`SimMIM` of a `SwinTransformerV2ForSimMIM`; a pretrained window of 0 is the stage's own."""
    options = complete(constructor, OPTIONS)
    encoder = complete(options["encoder"], microsoft.V2)
    common = microsoft.spec(encoder)
    windows = microsoft.references(encoder, common["window_sizes"])
    return reference("simmim_v2", options, SpecV2(**common, pretrained_window_sizes=windows))


def reference(kind: str, options: dict[str, Any], spec: Spec) -> Reference:
    """Return the model, and how it is asked."""
    model = masked(build(spec), options["encoder_stride"])

    def answer(case: Case) -> dict[str, Tensor]:
        return answers(model, case, options["norm_target_patch_size"])

    return Reference(kind, model, "microsoft-simmim", answer=answer)


def masked(backbone: Swin, stride: int) -> SimMIM:
    """Return a model whose decoder gives `stride` pixels per token and axis.

    Raises:
        NotCovered: the last stage has other tokens.
    """
    pixels = backbone.spec.strides[-1]
    if set(pixels) != {stride}:
        raise NotCovered(f"a decoder of stride {stride} over tokens of {pixels} pixels")
    return SimMIM(backbone)


def answers(model: SimMIM, case: Case, window: int) -> dict[str, Tensor]:
    """Features, reconstruction, and losses with their gradients, against pixels and against normed ones."""
    image, mask = case.inputs["image"], case.inputs["mask"]
    seen: list[Tensor] = []
    hook = model.head.norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    found = {"reconstruction": model(image, mask), "norm_target": locally_normed(image, window)}
    hook.remove()
    found["encoder_features"] = seen[0].movedim(-1, 1)
    for name, target in (("plain", None), ("norm", window)):
        model.masking = Masking(target_window=target)
        loss = model.loss(image, mask)
        gradients = torch.autograd.grad(loss, (model.mask_token, model.backbone.embed.proj.weight))
        found[f"loss_{name}"] = loss
        found[f"grad_mask_token_{name}"] = GRADIENTS_TIMES * gradients[0].reshape(1, 1, -1)
        found[f"grad_patch_proj_{name}"] = GRADIENTS_TIMES * gradients[1]
    return {name: tensor.detach() for name, tensor in found.items()}
