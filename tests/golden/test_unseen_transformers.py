"""Cases that nobody has seen: written here by the installed transformers, with all their options."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedConfig,
    SwinConfig,
    SwinForImageClassification,
    SwinForMaskedImageModeling,
    SwinModel,
    Swinv2Config,
    Swinv2ForImageClassification,
    Swinv2ForMaskedImageModeling,
    Swinv2Model,
)

from tests.models.small import stirred

from .compare import NOT_COVERED, check
from .test_loading import holds
from .test_unseen import SMALL, case

pytestmark = pytest.mark.slow

FLOATING = ("regression", "multi_label_classification")
V1 = (SwinConfig, SwinForImageClassification)
V2 = (Swinv2Config, Swinv2ForImageClassification)


def built(kind: tuple[type[PreTrainedConfig], type[nn.Module]], options: dict[str, Any]) -> nn.Module:
    """Return a model of transformers, with random weights."""
    return stirred(kind[1](kind[0](**{**SMALL, **options}))).eval()


def about(model: nn.Module) -> dict[str, Any]:
    """Return the case's entry about its reference."""
    return {
        "reference_repo": "huggingface/transformers",
        "reference_class": type(model).__name__,
        "constructor": model.config.to_dict(),
    }


@torch.no_grad()
def classified(folder: Path, model: nn.Module, size: tuple[int, int]) -> Path:
    """Return a case of a classifier, with labels."""
    pixels = torch.randn(2, model.config.num_channels, *size)
    labels = torch.tensor([0, model.config.num_labels - 1])
    if model.config.problem_type in FLOATING:
        labels = torch.rand(2, model.config.num_labels)
    base = getattr(model, model.base_model_prefix)
    answer, inner = model(pixels, labels=labels, output_hidden_states=True), base(pixels)
    outputs = {f"reshaped_hidden_states.{i}": x for i, x in enumerate(answer.reshaped_hidden_states)}
    outputs |= {"logits": answer.logits, "loss": answer.loss, "pooler_output": inner.pooler_output}
    outputs["last_hidden_state"] = inner.last_hidden_state
    return case(folder, about(model), model, {"pixel_values": pixels, "labels": labels}, outputs)


SIZES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "plain": ({"image_size": 64, "window_size": 4}, (64, 64)),
    "oblong": ({"image_size": [48, 80], "window_size": 5}, (48, 80)),
    "upright": ({"image_size": [80, 48], "window_size": 3}, (80, 48)),
    "odd grid, padded": ({"image_size": 52, "window_size": 4}, (52, 52)),
    "pixels that fill no patch": ({"image_size": 52, "window_size": 4}, (55, 54)),
    "patch 2": ({"image_size": 30, "patch_size": 2, "window_size": 7}, (30, 30)),
    "one class": ({"image_size": 64, "window_size": 4, "num_labels": 1}, (64, 64)),
    "regression": (
        {"image_size": 64, "window_size": 4, "num_labels": 3, "problem_type": "regression"},
        (64, 64),
    ),
    "several labels": (
        {"image_size": 64, "window_size": 4, "problem_type": "multi_label_classification"},
        (64, 64),
    ),
    "no qkv bias": ({"image_size": 64, "window_size": 4, "qkv_bias": False}, (64, 64)),
    "other numbers": (
        {"image_size": 64, "window_size": 4, "num_channels": 5, "mlp_ratio": 1.5, "num_labels": 3},
        (64, 64),
    ),
    "one stage, rates": (
        {
            "depths": [3],
            "num_heads": [2],
            "image_size": 64,
            "window_size": 4,
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "drop_path_rate": 0.3,
        },
        (64, 64),
    ),
}
V1_ALONE = {
    "absolute embedding": (
        {"image_size": [48, 64], "window_size": 4, "use_absolute_embeddings": True},
        (48, 64),
    ),
}
V2_ALONE = {
    "windows of pre-training": (
        {"image_size": 64, "window_size": 8, "pretrained_window_sizes": [4, 0]},
        (64, 64),
    ),
    "clipped": ({"image_size": 24, "window_size": 4}, (24, 24)),
    "clipped by its height": ({"image_size": [24, 64], "window_size": 4}, (24, 64)),
    "not clipped by its width": ({"image_size": [64, 24], "window_size": 4}, (64, 24)),
    "larger than built for": ({"image_size": 32, "window_size": 8}, (72, 88)),
    "smaller than built for": ({"image_size": 64, "window_size": 8}, (20, 36)),
}


@pytest.mark.parametrize("options", (SIZES | V1_ALONE).values(), ids=SIZES | V1_ALONE)
def test_any_option_of_transformers_v1(tmp_path, options):
    given, size = options
    holds(classified(tmp_path / "case", built(V1, given), size))


@pytest.mark.parametrize("options", (SIZES | V2_ALONE).values(), ids=SIZES | V2_ALONE)
def test_any_option_of_transformers_v2(tmp_path, options):
    given, size = options
    holds(classified(tmp_path / "case", built(V2, given), size))


@pytest.mark.parametrize(
    "kind", [(SwinConfig, SwinForMaskedImageModeling), (Swinv2Config, Swinv2ForMaskedImageModeling)]
)
@torch.no_grad()
def test_masked_image_models_of_transformers(tmp_path, kind):
    model = built(kind, {"image_size": 48, "window_size": 4, "encoder_stride": 8})
    pixels, mask = torch.randn(2, 3, 48, 48), torch.rand(2, 144) > 0.4
    answer = model(pixels, bool_masked_pos=mask)
    inputs: dict[str, Tensor] = {"pixel_values": pixels, "bool_masked_pos": mask}
    outputs = {"reconstruction": answer.reconstruction, "loss": answer.loss}
    holds(case(tmp_path / "case", about(model), model, inputs, outputs))


@pytest.mark.parametrize("kind", [(SwinConfig, SwinModel), (Swinv2Config, Swinv2Model)])
@torch.no_grad()
def test_bare_models_of_transformers(tmp_path, kind):
    model = built(kind, {"image_size": 48, "window_size": 4})
    pixels = torch.randn(2, 3, 48, 48)
    answer = model(pixels, output_hidden_states=True)
    outputs = {f"hidden_states.{i}": x for i, x in enumerate(answer.hidden_states)}
    outputs |= {"last_hidden_state": answer.last_hidden_state, "pooler_output": answer.pooler_output}
    holds(case(tmp_path / "case", about(model), model, {"pixel_values": pixels}, outputs))


def test_other_activations_are_not_covered(tmp_path):
    model = built(V1, {"image_size": 64, "window_size": 4, "hidden_act": "relu"})
    outcome = check(classified(tmp_path / "case", model, (64, 64)))
    assert (outcome.status, outcome.reasons) == (NOT_COVERED, ["hidden_act 'relu'"])
