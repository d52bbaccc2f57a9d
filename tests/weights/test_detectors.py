"""Files of which a Swin is a part: its backbone is read, and everything else is named as unused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from swinkit.errors import DataError
from swinkit.files.contents import State
from swinkit.files.tensors import read_contents
from swinkit.weights.dialect_table import DIALECTS, detect
from swinkit.weights.load import canonical, export_weights, load_weights

from .models import classifier, pyramid


def around(state: State, prefix: str, *rest: str) -> State:
    """`state` under `prefix`, beside other parts of a larger model."""
    return {f"{prefix}{name}": x for name, x in state.items()} | {name: torch.zeros(2) for name in rest}


@pytest.mark.parametrize(
    ("dialect", "prefix", "rest"),
    [
        ("detectron2", "", ("backbone.fpn_lateral2.weight", "roi_heads.box_head.fc1.bias", "pixel_mean")),
        (
            "transformers-backbone",
            "backbone.",
            ("decode_head.classifier.bias", "auxiliary_head.classifier.bias"),
        ),
        (
            "transformers-backbone",
            "model.pixel_level_module.encoder.",
            ("model.pixel_level_module.decoder.mask_projection.bias", "class_predictor.weight"),
        ),
        ("transformers-legacy-backbone", "backbone.", ("decode_head.classifier.bias",)),
    ],
)
def test_the_backbone_of_a_larger_model_is_read(dialect: str, prefix: str, rest: tuple[str, ...]):
    model = pyramid()
    theirs = around(export_weights(model, dialect), prefix, *rest)
    assert detect(theirs).name == dialect
    report = load_weights(pyramid(), theirs)
    assert report.unused == rest
    assert report.loaded == len(canonical(model))


def test_maskformer_numbers_its_norms_from_zero():
    theirs = export_weights(pyramid(), "transformers-legacy-backbone")
    counted = {}
    for name, tensor in theirs.items():
        numbered = name.replace(".stage1.", ".0.").replace(".stage2.", ".1.")
        counted[numbered if numbered.startswith("hidden") else f"model.{name}"] = tensor
    assert {"hidden_states_norms.0.bias", "model.embeddings.norm.bias"} <= counted.keys()
    found = detect(counted)
    assert (found.name, found.border) == ("transformers-legacy-backbone", "pad")
    reading = found.read(counted | {"model.layernorm.weight": torch.zeros(24)})
    assert set(reading.state) == set(canonical(pyramid()))
    assert reading.unused == ("model.layernorm.weight",)


def test_the_encoder_of_a_donut_is_read_and_its_text_decoder_is_not():
    backbone = canonical(classifier().backbone)
    theirs = export_weights(classifier().backbone, "transformers-legacy")
    donut = around(
        {name.removeprefix("swin."): x for name, x in theirs.items()}, "encoder.", "decoder.model.a.bias"
    )
    found = detect(donut)
    assert (found.name, found.border) == ("transformers-legacy", "square")
    reading = found.read(donut)
    assert reading.state.keys() == backbone.keys()
    assert reading.unused == ("decoder.model.a.bias",)


def test_of_mobys_two_encoders_the_trained_one_is_read_and_the_slow_copy_is_unused():
    model = classifier()
    encoder = {k: v for k, v in export_weights(model, "microsoft").items() if not k.startswith("head.")}
    copy = {f"encoder_k.{name}": torch.zeros_like(value) for name, value in encoder.items()}
    rest = ("projector.linear_out.bias", "projector_k.linear_out.bias", "predictor.linear_out.bias", "queue1")
    theirs = around(encoder, "encoder.", *rest) | copy
    assert detect(theirs).name == "microsoft"
    reading = detect(theirs).read(theirs)
    assert torch.equal(reading.state["backbone.embed.proj.bias"], model.backbone.embed.proj.bias)
    assert set(reading.unused) == {*copy, *rest}
    assert not reading.unexplained


def test_a_checkpoint_of_detectron2_is_opened(tmp_path: Path):
    model = pyramid()
    about = {"__author__": "somebody", "matching_heuristics": True}
    torch.save({"model": export_weights(model, "detectron2"), **about}, tmp_path / "model_final.pth")
    contents = read_contents(tmp_path / "model_final.pth")
    reading = detect(contents.state).read(contents.state)
    assert reading.state.keys() == canonical(model).keys()
    assert set(about) <= set(contents.ignored)


def test_a_segmenter_of_transformers_gives_its_backbone(shared: Path):
    theirs = load_file(shared / "golden" / "hf_upernet_a" / "weights.safetensors")
    found = detect(theirs)
    reading = found.read(theirs)
    assert (found.name, found.border) == ("transformers-backbone", "pad")
    assert {f"norms.{stage}.weight" for stage in range(4)} <= reading.state.keys()
    assert not reading.unexplained
    assert all(
        name.startswith(("decode_head.", "auxiliary_head.", "backbone.swin.layernorm."))
        for name in reading.unused
    )


def test_a_query_without_its_key_is_unexplained():
    theirs = export_weights(classifier(), "transformers")
    name = "swin.encoder.layers.0.blocks.0.attention.k_proj.weight"
    parts = {name.replace("k_proj", part) for part in ("q_proj", "v_proj")}
    torn = {key: value for key, value in theirs.items() if key != name}
    assert set(DIALECTS["transformers"].read(torn).unexplained) == parts


def test_projections_that_make_no_one_tensor_are_refused():
    theirs = export_weights(classifier(), "transformers")
    name = "swin.encoder.layers.0.blocks.0.attention.k_proj.weight"
    with pytest.raises(DataError, match=r"k_proj.weight \(12, 5\).*no such tensors of a Swin, .*qkv.weight"):
        detect(theirs).read(theirs | {name: torch.zeros(12, 5)})
