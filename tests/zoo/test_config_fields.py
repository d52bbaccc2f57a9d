"""Every field of another library's config.json is read, known to change no answer, or refused by name."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import timm.models.swin_transformer as timm_v1
import timm.models.swin_transformer_v2 as timm_v2
import timm.models.swin_transformer_v2_cr as timm_cr
import torch
import transformers
from timm.models import PretrainedCfg
from transformers.models.donut.configuration_donut_swin import DonutSwinConfig
from transformers.models.maskformer.configuration_maskformer_swin import MaskFormerSwinConfig

import swinkit
from swinkit.errors import DataError
from swinkit.files.typed_json import Settings
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.multi_label.model import MultiLabel
from swinkit.tasks.regression.model import Regression
from swinkit.zoo.hub_configs_timm import CONFIG, HEEDED, PUBLISHED, from_timm
from swinkit.zoo.hub_configs_timm import LEFT_ALONE as TIMM_LEFT_ALONE
from swinkit.zoo.hub_configs_transformers import LEFT_ALONE, READ, TOLD_BY_TENSORS, from_transformers

pytestmark = pytest.mark.slow

SMALL = {"depths": [2, 2], "num_heads": [2, 4], "embed_dim": 16, "image_size": 64, "window_size": 4}
KINDS = {"swin": transformers.SwinConfig, "swinv2": transformers.Swinv2Config}


@pytest.mark.parametrize("kind", [*KINDS.values(), DonutSwinConfig, MaskFormerSwinConfig])
def test_every_field_that_transformers_writes_is_known(kind: type):
    assert set(kind().to_dict()) <= READ | TOLD_BY_TENSORS | LEFT_ALONE
    assert not READ & LEFT_ALONE


def test_every_field_that_timm_writes_is_known():
    assert {field.name for field in dataclasses.fields(PretrainedCfg)} <= PUBLISHED
    refused = {
        *("self", "device", "dtype", "always_partition", "head_dim", "embed_layer", "act_layer"),
        *("norm_layer", "window_ratio", "sequential_attn"),
    }
    for kind in (timm_v1.SwinTransformer, timm_v2.SwinTransformerV2, timm_cr.SwinTransformerV2Cr):
        assert set(inspect.signature(kind.__init__).parameters) <= HEEDED | TIMM_LEFT_ALONE | refused
    assert not refused & (HEEDED | TIMM_LEFT_ALONE)
    for key in sorted(refused):
        with pytest.raises(DataError, match=f"{key} make a model that swinkit lacks"):
            timm_facts(model_args={key: 1})


def timm_facts(**values: Any) -> Any:
    """Return the facts in a config of timm."""
    return from_timm(Settings("config.json", {"architecture": "swin_tiny_patch4_window7_224", **values}))


def facts(kind: str = "swin", **values: Any) -> Any:
    """Return the facts in a config of transformers, without a preprocessor."""
    return from_transformers(Settings("config.json", {"model_type": kind, **SMALL, **values}), None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"my_layers": 3, "adapter": 1}, "config.json: `adapter`, `my_layers` may change the model"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; it must be 'gelu'"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'; it must be 'gelu'"),
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06; it must be 1e-5"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads is .*; it must be left out"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is .*; it must be left out"),
        ({"auto_map": {"AutoModel": "code.Mine"}}, "auto_map is .*; it must be without a model"),
        ({"num_layers": 4}, "num_layers is 4; it must be 2"),
        ({"hidden_size": 768}, "hidden_size is 768; it must be 32"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'; it must be one of 'single_label"),
        (
            {"kind": "swinv2", "use_absolute_embeddings": True},
            "use_absolute_embeddings is True; it must be false",
        ),
    ],
)
def test_what_swinkit_has_not_is_refused_by_name(values: dict[str, Any], message: str):
    with pytest.raises(DataError, match=message):
        facts(**values)


def test_timm_s_other_fields_are_refused_by_name():
    with pytest.raises(DataError, match="label_offset is 1; it must be 0"):
        timm_facts(pretrained_cfg={"label_offset": 1})
    with pytest.raises(DataError, match=r"pretrained_cfg: `rescale` may change the model"):
        timm_facts(pretrained_cfg={"rescale": 1})
    with pytest.raises(DataError, match=r"config.json: `pool` may change the model"):
        timm_facts(pretrained_cfg={}, pool="max")
    assert not CONFIG & {"pool", "rescale"}


def saved(path: Path, kind: str, **values: Any) -> Any:
    """Save a loud classifier of transformers without a preprocessor, as a trainer leaves it."""
    config = KINDS[kind](**SMALL | {"num_labels": 3} | values)
    name = {"swin": "Swin", "swinv2": "Swinv2"}[kind]
    model = getattr(transformers, f"{name}ForImageClassification")(config).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(path)
    return model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"qkv_bias": False},
        {"mlp_ratio": 2.0},
        {"patch_size": 2, "encoder_stride": 4},
        {"num_channels": 3, "image_size": 96, "window_size": 6},
        {"hidden_act": "gelu_python"},
        {"problem_type": "single_label_classification", "num_labels": 2},
    ],
)
def test_what_is_read_answers_as_in_transformers(tmp_path: Path, kind: str, values: dict[str, Any]):
    theirs = saved(tmp_path, kind, **values)
    ours = swinkit.load(tmp_path)
    side = theirs.config.image_size
    assert ours.preprocess.crop == (side, side)
    x = torch.randn(2, 3, side, side)
    assert torch.allclose(ours(x), theirs(x).logits, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"problem_type": "regression"}, "regression"),
        ({"num_labels": 1}, "regression"),
    ],
)
def test_a_head_that_answers_no_class_answers_as_in_transformers(
    tmp_path: Path, kind: str, values: dict[str, Any], problem: str
):
    theirs = saved(tmp_path, kind, **values)
    ours = swinkit.load(tmp_path)
    assert isinstance(ours, {"regression": Regression}.get(problem, MultiLabel))
    x = torch.randn(2, 3, 64, 64)
    assert torch.allclose(ours(x), theirs(x).logits, atol=1e-5)
    labels = [str(label) for label in range(theirs.config.num_labels)]
    named = swinkit.load(tmp_path, head="new", labels=labels)
    assert named.labels == tuple(labels)
    assert torch.equal(named(x), ours(x))
    made, bare = swinkit.load(tmp_path, head="new", labels=list("abcde")), swinkit.load(tmp_path, head="none")
    assert isinstance(made, Classifier)
    assert made.labels == tuple("abcde")
    assert torch.equal(made.backbone(x)[-1], bare(x)[-1])


def test_one_output_is_a_number_whatever_the_configuration_calls_it():
    labels = {"id2label": {"0": "age"}}
    assert facts(**labels).problem == facts(num_labels=1).problem == "regression"
    assert facts(**labels, problem_type="single_label_classification").problem == "regression"
    assert facts(**labels, problem_type="multi_label_classification").problem == "multi_label_classification"
    assert facts().problem == "single_label_classification"


def test_pictures_have_the_size_of_the_configuration_where_nothing_else_tells_it(tmp_path: Path):
    assert facts(image_size=96).size == (96, 96)
    unusual = {"crop_mode": "border", "input_size": [3, 160, 160]}
    found = timm_facts(pretrained_cfg=unusual)
    assert (found.preprocess, found.size) == (None, (160, 160))
    saved(tmp_path, "swin")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["image_size"] == 64
    assert swinkit.load(tmp_path).preprocess.crop == (64, 64)
