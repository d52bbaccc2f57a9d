"""What strangers' config.json files say: right, or refused in one line that names the setting."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swinkit.core.spec import Spec
from swinkit.errors import DataError
from swinkit.files.typed_json import Settings, read_settings
from swinkit.models.config import spec_from_json, spec_to_json
from swinkit.models.families import SpecCR, SpecV2
from swinkit.models.specs import VARIANTS
from swinkit.weights.configs import timm_cannot, timm_config, transformers_config
from swinkit.zoo.hub_configs import Facts
from swinkit.zoo.hub_configs_timm import HEEDED, LEFT_ALONE, from_timm
from swinkit.zoo.hub_configs_transformers import from_transformers

PUBLISHED = {  # as timm writes it for its own checkpoints
    "architecture": "swin_base_patch4_window12_384",
    "num_classes": 1000,
    "pretrained_cfg": {
        "tag": "ms_in22k_ft_in1k",
        "input_size": [3, 384, 384],
        "crop_pct": 1.0,
        "crop_mode": "center",
        "interpolation": "bicubic",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}
OFFICIAL = {  # as transformers wrote it for Microsoft's checkpoints
    "architectures": ["SwinForImageClassification"],
    "model_type": "swin",
    "id2label": {"0": "tench", "1": "goldfish"},
    "image_size": 224,
    "embed_dim": 128,
    "depths": [2, 2, 18, 2],
    "num_heads": [4, 8, 16, 32],
    "window_size": 7,
    "path_norm": True,
    "torch_dtype": "float32",
}
SQUEEZED = {"do_resize": True, "size": 224, "resample": 3, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
PREPROCESS = {
    "crop": [224, 224],
    "resize": 256,
    "interpolation": "bicubic",
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
}


def timm_facts(**changes: Any) -> Facts:
    """Of the published file, with some of it replaced; None takes it away."""
    values = {**copy.deepcopy(PUBLISHED), **changes}
    return from_timm(
        Settings("config.json", {key: value for key, value in values.items() if value is not None})
    )


def transformers_facts(preprocessor: dict[str, Any] | None = None, **changes: Any) -> Facts:
    """Of the official file, with some of it replaced."""
    fit = None if preprocessor is None else Settings("preprocessor_config.json", preprocessor)
    return from_transformers(Settings("config.json", {**OFFICIAL, **changes}), fit)


def test_a_published_architecture_of_timm():
    facts = timm_facts()
    assert facts.spec == VARIANTS["swin-b-w12-384"].spec
    assert facts.labels is None
    assert facts.preprocess is not None
    assert (facts.preprocess["crop"], facts.preprocess["resize"]) == ((384, 384), 384)


def test_timm_s_first_layout_had_all_in_one_object():
    flat = {"architecture": "swin_tiny_patch4_window7_224", "labels": ["cat"], **PUBLISHED["pretrained_cfg"]}
    assert (
        from_timm(Settings("config.json", flat | {"input_size": [3, 224, 224]})).spec
        == VARIANTS["swin-t"].spec
    )


def test_labels_are_the_descriptions_where_there_are_any():
    named = timm_facts(label_names=["n01", "n02"], label_descriptions={"n01": "cat"})
    numbered = timm_facts(label_names={"1": "dog", "0": "cat"})
    assert (named.labels, numbered.labels) == (("cat", "n02"), ("cat", "dog"))


def test_windows_are_cut_to_the_grid_as_timm_cuts_them():
    facts = timm_facts(model_args={"img_size": 192, "window_size": [12, [12, 12], 12, [12, 6]]})
    assert facts.spec is not None
    assert facts.spec.window_sizes == ((12, 12), (12, 12), (12, 12), (6, 6))


def test_the_windows_of_v2_cr_follow_from_the_size_of_the_pictures():
    config = {"architecture": "swinv2_cr_tiny_ns_224", "model_args": {"img_size": 256}}
    spec = from_timm(Settings("config.json", config)).spec
    assert isinstance(spec, SpecCR)
    assert spec.window_sizes == ((8, 8),) * 4


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ({"crop_pct": 0.875}, (224, 256)),
        ({"crop_pct": 0.9}, (224, 248)),
        ({"crop_mode": "squash", "crop_pct": 1.0}, (224, None)),
        ({"crop_mode": "squash", "crop_pct": 0.9}, None),
        ({"crop_mode": "border"}, None),
        ({"interpolation": "lanczos"}, None),
        ({"crop_pct": 1.5}, None),
    ],
)
def test_how_timm_prepares_pictures_is_taken_over_or_else_left_open(fit: dict[str, Any], expected: object):
    found = timm_facts(
        architecture="swin_tiny_patch4_window7_224", pretrained_cfg={"input_size": [3, 224, 224], **fit}
    ).preprocess
    assert (found and (found["crop"][0], found["resize"])) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "resnet50"}, "'resnet50' is no Swin of timm"),
        ({"architecture": 7}, "architecture is 7; it must be a text"),
        ({"model_args": {"always_partition": True}}, "model_args: always_partition make a model"),
        ({"model_args": {"depths": [2] * 9}}, "depths is .*; it must be a list of 1 to 8 numbers"),
        ({"model_args": {"depths": [2, 2, 10**12, 2]}}, "whole number from 1 to 65536"),
        ({"model_args": {"depths": [2, 2, 60000, 2]}}, "no Swin can be built from it: depths has 60000"),
        ({"model_args": {"embed_dim": 97}}, "no Swin can be built from it: num_heads"),
        ({"model_args": {"embed_dim": True}}, "embed_dim is True; it must be a whole number"),
        ({"model_args": {"mlp_ratio": float("nan")}}, "mlp_ratio is nan; it must be a number above 0"),
        ({"model_args": {"window_size": [7, 7, 7]}}, "window_size is .*; it must be one size"),
        ({"model_args": {"global_pool": "max"}}, "global_pool is 'max'; it must be 'avg'"),
        ({"model_args": []}, "model_args is .*; it must be an object"),
        ({"pretrained_cfg": {"input_size": [224]}}, "input_size is .*; it must be three numbers"),
        ({"pretrained_cfg": {"std": [0, 1, 1]}}, "std is .*; it must be a number above 0"),
        ({"label_names": ["cat", 7]}, "label_names is .*; it must be a list of texts"),
        ({"label_names": {"1": "dog"}}, "label_names is .*; it must be a text for each of the numbers"),
    ],
)
def test_what_timm_could_not_have_written(changes: dict[str, Any], said: str):
    with pytest.raises(DataError, match=said):
        timm_facts(**changes)


def test_an_official_v1_of_transformers():
    facts = transformers_facts(SQUEEZED)
    assert facts.spec is not None
    assert facts.spec.window_sizes == VARIANTS["swin-b"].spec.window_sizes
    assert facts.labels == ("tench", "goldfish")
    assert facts.preprocess == {
        "crop": (224, 224),
        "resize": None,
        "interpolation": "bicubic",
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
    }


def test_windows_of_v2_are_cut_as_transformers_cuts_them():
    references = {"image_size": 384, "window_size": 24, "pretrained_window_sizes": [12, 12, 12, 6]}
    spec = transformers_facts(model_type="swinv2", **references).spec
    assert isinstance(spec, SpecV2)
    assert spec.window_sizes == ((24, 24), (24, 24), (24, 24), (12, 12))
    assert spec.pretrained_window_sizes == ((12, 12), (12, 12), (12, 12), (6, 6))


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224}, (224, 256)),
        ({"size": {"height": 224, "width": 224}}, (224, None)),
        ({"size": {"shortest_edge": 256}}, None),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.9}, None),
        ({"size": 224, "do_rescale": False}, None),
        ({"size": {"height": 2560, "width": 1920}, "do_thumbnail": True, "do_pad": True}, None),
        ({"size": 224, "resample": 1}, None),
        ({}, None),
    ],
)
def test_how_transformers_prepares_pictures_is_taken_over_or_else_left_open(
    fit: dict[str, Any], expected: object
):
    found = transformers_facts({"resample": 3, **fit}).preprocess
    assert (found and (found["crop"][0], found["resize"])) == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "vit"}, r"model_type 'vit' is no Swin .* \(known: swin, donut-swin"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; it must be 'gelu'"),
        ({"layer_norm_eps": 1e-12}, "layer_norm_eps is 1e-12; it must be 1e-5"),
        ({"window_size": [7, 7]}, "window_size is .*; it must be a whole number"),
        ({"num_heads": [3, 6]}, "no Swin can be built from it: num_heads has 2 entries"),
        ({"id2label": {"0": "cat", "2": "dog"}}, "id2label is .*; it must be a text for each"),
        ({"id2label": ["cat"]}, "id2label is .*; it must be an object"),
        ({"use_absolute_embeddings": 1}, "use_absolute_embeddings is 1; it must be true or false"),
    ],
)
def test_what_transformers_could_not_have_written(changes: dict[str, Any], said: str):
    with pytest.raises(DataError, match=said):
        transformers_facts(**changes)


IN_TIMM = [name for name, v in VARIANTS.items() if len(v.size) == 2 and timm_cannot(v.spec, v.size) is None]


@pytest.mark.parametrize("name", IN_TIMM)
def test_what_we_write_for_timm_is_read_as_it_was(name: str):
    variant = VARIANTS[name]
    config = timm_config(variant.spec, variant.size, ["a", "b"], PREPROCESS)
    facts = from_timm(Settings("config.json", json.loads(json.dumps(config))))
    assert facts.spec is not None
    assert outline(facts.spec) == outline(variant.spec)
    assert facts.labels == ("a", "b")


@pytest.mark.parametrize("name", ["swin-t", "swinv2-t", "swinv2-b-w24-from12"])
def test_what_we_write_for_transformers_is_read_as_it_was(name: str):
    variant = VARIANTS[name]
    config = transformers_config(variant.spec, variant.size, "ForImageClassification", ["a", "b"])
    facts = from_transformers(Settings("config.json", json.loads(json.dumps(config))), None)
    assert facts.spec is not None
    assert outline(facts.spec) == outline(variant.spec)


def outline(spec: Spec) -> dict[str, Any]:
    """All that changes an answer, with the windows of pre-training spelled out."""
    numbers = spec_to_json(spec)
    if isinstance(spec, SpecV2):
        numbers["pretrained_window_sizes"] = spec.reference_windows
    rates = ("drop_path", "dropout", "attention_dropout", "border")
    return {key: value for key, value in numbers.items() if key not in rates}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 30)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([10**400, "swin", "gelu", "center", 224]),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
INSIDE = st.dictionaries(st.sampled_from(sorted(HEEDED | LEFT_ALONE)), JSON, max_size=6)
FIT = st.dictionaries(
    st.sampled_from([*PUBLISHED["pretrained_cfg"], *SQUEEZED, "crop_size", "label_names"]), JSON
)


def spec_or_refusal(read: Callable[[], Facts]) -> Spec | str | None:
    """Return the facts that were read, or the one line that refuses them."""
    try:
        return read().spec
    except DataError as error:
        return str(error)


@given(st.dictionaries(st.sampled_from(["label_names", "num_classes"]), JSON), INSIDE | JSON, FIT | JSON)
def test_no_config_of_timm_does_worse_than_be_refused(values: dict[str, Any], arguments: Any, fit: Any):
    files = {"architecture": "swinv2_tiny_window8_256", "model_args": arguments, "pretrained_cfg": fit}
    found = spec_or_refusal(lambda: timm_facts(**{**files, **values}))
    assert "\n" not in found if isinstance(found, str) else isinstance(found, SpecV2)


@given(st.dictionaries(st.sampled_from([*OFFICIAL, "layer_norm_eps", "pretrained_window_sizes"]), JSON), FIT)
def test_no_config_of_transformers_does_worse_than_be_refused(values: dict[str, Any], fit: dict[str, Any]):
    found = spec_or_refusal(lambda: transformers_facts(fit, **{"model_type": "swinv2", **values}))
    assert "\n" not in found if isinstance(found, str) else isinstance(found, Spec)


@given(st.dictionaries(st.sampled_from(sorted(spec_to_json(VARIANTS["swinv2-t"].spec))), JSON, max_size=5))
def test_no_spec_of_a_saved_model_does_worse_than_be_refused(values: dict[str, Any]):
    numbers = {**json.loads(json.dumps(spec_to_json(VARIANTS["swinv2-t"].spec))), **values}
    try:
        spec = spec_from_json("v2", numbers)
    except DataError:
        return
    assert sum(spec.depths) <= 512


def test_settings_nested_without_end_are_refused(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DataError, match="c is no JSON"):
        read_settings(path, "c")
