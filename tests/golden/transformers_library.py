"""huggingface/transformers: classifiers, bare models and masked image models of V1 and V2.

V1 settles its windows at each call, as our "square" border does. V2 settles windows and shifts at
construction from `image_size`, and by its height alone: what was settled stays, whatever the input.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.core.spec import Size, Spec
from swinkit.core.windows import PadThenRoll
from swinkit.models.build import build
from swinkit.models.families import SpecV2
from swinkit.tasks.simmim.model import SimMIM
from tests.models.small import Headed

from .case import Case, NotCovered
from .options import TINY, numbers, sizes
from .reference import Reference
from .simmim import masked
from .trace import Trace, channels_first, tokens, trace

CONFIG: dict[str, Any] = {
    "image_size": 224,
    "patch_size": 4,
    "num_channels": 3,
    **TINY,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.1,
    "hidden_act": "gelu",
    "use_absolute_embeddings": False,
    "layer_norm_eps": 1e-5,
    "encoder_stride": 32,
    "pretrained_window_sizes": None,  # of V2: 0 means the stage's own
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
}


def v1(constructor: dict[str, Any]) -> Reference:
    """`SwinForImageClassification`."""
    return classifier("hf_swin", constructor, build(v1_spec(settings(constructor))), "transformers")


def v2(constructor: dict[str, Any]) -> Reference:
    """`Swinv2ForImageClassification`."""
    return classifier("hf_swinv2", constructor, v2_backbone(settings(constructor)), "transformers-v2")


def v1_bare(constructor: dict[str, Any]) -> Reference:
    """`SwinModel`."""
    backbone = build(v1_spec(settings(constructor)))
    return classifier("hf_swin_bare", {**constructor, "id2label": {}}, backbone, "transformers")


def v2_bare(constructor: dict[str, Any]) -> Reference:
    """`Swinv2Model`."""
    backbone = v2_backbone(settings(constructor))
    return classifier("hf_swinv2_bare", {**constructor, "id2label": {}}, backbone, "transformers-v2")


def v1_simmim(constructor: dict[str, Any]) -> Reference:
    """`SwinForMaskedImageModeling`."""
    config = settings(constructor)
    model = masked(build(v1_spec(config)), config["encoder_stride"])
    return Reference("hf_swin_mim", model, "transformers", answer=lambda case: reconstructed(model, case))


def v2_simmim(constructor: dict[str, Any]) -> Reference:
    """`Swinv2ForMaskedImageModeling`."""
    config = settings(constructor)
    model = masked(v2_backbone(config), config["encoder_stride"])
    return Reference(
        "hf_swinv2_mim", model, "transformers-v2", answer=lambda case: reconstructed(model, case)
    )


def settings(constructor: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration that matter, with transformers' defaults.

    Raises:
        NotCovered: another activation, or another epsilon.
    """
    config = {**CONFIG, **{key: value for key, value in constructor.items() if key in CONFIG}}
    for option in ("hidden_act", "layer_norm_eps"):
        if config[option] != CONFIG[option]:
            raise NotCovered(f"{option} {config[option]!r}")
    return config


def classifier(kind: str, constructor: dict[str, Any], backbone: Swin, dialect: str) -> Reference:
    """Return a model with as many classes as the configuration names; none leave the classifier out."""
    model = Headed(backbone, len(settings(constructor)["id2label"]))
    return Reference(kind, model, dialect, answer=lambda case: classified(model, case))


def common(config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of our `Spec` but the windows."""
    rates = numbers(
        config,
        dropout="hidden_dropout_prob",
        attention_dropout="attention_probs_dropout_prob",
        drop_path="drop_path_rate",
    )
    return {
        **rates,
        "patch": sizes(config["patch_size"]),
        "in_channels": config["num_channels"],
        "qkv_bias": config["qkv_bias"],
        "border": "square",
    }


def grid(config: dict[str, Any]) -> Size:
    """Patches of a picture of the size that the model was built for."""
    image, patch = sizes(config["image_size"]), sizes(config["patch_size"])
    return tuple(size // p for size, p in zip(image, patch, strict=True))


def v1_spec(config: dict[str, Any]) -> Spec:
    """One window for all stages: transformers cannot run smaller grids."""
    windows = (sizes(config["window_size"]),) * len(config["depths"])
    positions = grid(config) if config["use_absolute_embeddings"] else None
    return Spec(**common(config), window_sizes=windows, absolute_grid=positions)


def v2_backbone(config: dict[str, Any]) -> Swin:
    """With windows and shifts as settled by the height of the grid of each stage.

    Raises:
        NotCovered: an absolute embedding, with which transformers' V2 cannot run.
    """
    if config["use_absolute_embeddings"]:
        raise NotCovered("absolute embeddings of V2")
    window, stages = config["window_size"], range(len(config["depths"]))
    heights = [grid(config)[0] // 2**stage for stage in stages]
    windows = tuple(sizes(min(height, window)) for height in heights)
    given = config["pretrained_window_sizes"] or [0 for _ in stages]
    references = tuple(sizes(p) if p else w for p, w in zip(given, windows, strict=False))
    backbone = build(SpecV2(**common(config), window_sizes=windows, pretrained_window_sizes=references))
    for height, stage in zip(heights, backbone.stages, strict=True):
        for j, block in enumerate(stage.blocks):
            block.token_mixer.shift = sizes(window // 2 if j % 2 and height > window else 0)
            block.token_mixer.border = as_settled
    return backbone


def as_settled(grid: Size, window: Size, shift: Size) -> PadThenRoll:
    """Whatever the grid, the window and shift that were settled."""
    return PadThenRoll(tuple(grid), window, shift)


@torch.no_grad()
def classified(model: Headed, case: Case) -> dict[str, Tensor]:
    """Everything that pixels make, and the loss if there are labels."""
    traced = trace(model, case.inputs["pixel_values"])
    traced.embedded = model.backbone.position(traced.embedded)  # it gives them out with their positions
    found = names(traced)
    if "labels" in case.inputs:
        found["loss"] = loss(found["logits"], case.inputs["labels"], case.about["constructor"])
    return found


def loss(logits: Tensor, labels: Tensor, config: dict[str, Any]) -> Tensor:
    """(B, K) logits -> a scalar; of which problem, the configuration tells, else classes and labels."""
    several = "multi_label_classification" if labels.is_floating_point() else "single_label_classification"
    problem = config.get("problem_type") or ("regression" if logits.shape[1] == 1 else several)
    if problem == "regression":
        return F.mse_loss(logits.squeeze(), labels.squeeze().to(logits.dtype))
    if problem == "multi_label_classification":
        return F.binary_cross_entropy_with_logits(logits, labels)
    return F.cross_entropy(logits, labels)


def names(found: Trace) -> dict[str, Tensor]:
    """Return the embeddings and the stages as maps, the stages after merging; what is normed as B, L, C."""
    stages = [found.embedded, *(found.out(i) for i in range(len(found.features)))]
    named = {f"reshaped_hidden_states.{i}": channels_first(x) for i, x in enumerate(stages)}
    named |= {f"hidden_states.{i}": tokens(x) for i, x in enumerate(stages)}
    named |= {"last_hidden_state": tokens(found.normed), "pooler_output": found.pooled}
    return named | {"logits": found.logits}


@torch.no_grad()
def reconstructed(model: SimMIM, case: Case) -> dict[str, Tensor]:
    """Return the reconstruction, and the loss against the pixels themselves."""
    pixels, mask = case.inputs["pixel_values"], case.inputs["bool_masked_pos"]
    patches = tuple(size // p for size, p in zip(pixels.shape[2:], model.backbone.spec.patch, strict=True))
    mask = mask.reshape(-1, *patches)
    return {"reconstruction": model(pixels, mask), "loss": model.loss(pixels, mask)}
