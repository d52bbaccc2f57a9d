"""Dialects: exact both ways, and told from the names alone."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from swinkit.errors import DataError, UsageError
from swinkit.weights.dialects import DIALECTS, detect, dialect_named
from swinkit.weights.infer import infer
from swinkit.weights.load import canonical, export_weights, load_weights
from swinkit.weights.rules import State

from .models import classifier, pyramid

PAIRS = [
    ("microsoft", "v1"),
    ("microsoft", "v2"),
    ("timm", "v1"),
    ("timm", "v2"),
    ("torchvision", "v1"),
    ("torchvision", "v2"),
    ("torchvision-3d", "video"),
    ("openmmlab-video", "video"),
    ("swinkit", "v1"),
    ("swinkit", "v2"),
    ("swinkit", "video"),
]
HEADS = ("head.", "norm.", "cls_head.", "backbone.norm.")


def headless(state: State) -> State:
    """Without classifier and final norm."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(HEADS)}


def assert_equal(one: State, other: State) -> None:
    """The same names, types and bits."""
    assert one.keys() == other.keys()
    assert all(one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one)


def with_positions(dialect: str, family: str) -> nn.Module:
    """A classifier, with an absolute embedding where the dialect has one."""
    return classifier(family, **({"absolute_grid": (6, 9)} if dialect == "microsoft" else {}))


@pytest.mark.parametrize(("dialect", "family"), PAIRS)
def test_writing_and_reading_gives_every_tensor_back(dialect: str, family: str):
    model = with_positions(dialect, family)
    theirs = export_weights(model, dialect)
    reading = DIALECTS[dialect].read(theirs, model.backbone.spec)
    assert_equal(reading.state, canonical(model))
    assert not reading.unexplained
    assert not reading.unused
    assert_equal(DIALECTS[dialect].write(reading.state, model.backbone.spec), theirs)


@pytest.mark.parametrize("positions", [None, (6, 9)])
def test_a_pyramid_comes_back_from_the_dense_forks(positions: tuple[int, int] | None):
    model = pyramid(absolute_grid=positions)
    theirs = export_weights(model, "openmmlab")
    assert {"norm0.weight", "norm1.bias"} <= theirs.keys()
    reading = DIALECTS["openmmlab"].read(theirs)
    assert_equal(reading.state, canonical(model))
    assert detect(theirs).name == "openmmlab"


@pytest.mark.parametrize(("dialect", "family"), PAIRS)
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.backbone.", "encoder."])
@pytest.mark.parametrize("with_head", [True, False])
def test_a_dialect_is_told_from_the_names(dialect: str, family: str, prefix: str, with_head: bool):
    theirs = export_weights(classifier(family), dialect)
    theirs = theirs if with_head else headless(theirs)
    wrapped = {prefix + name: tensor for name, tensor in theirs.items()}
    found = detect(wrapped)
    reading = found.read(wrapped)
    assert found.axes == DIALECTS[dialect].axes
    assert (found.border, found.clipped_bias) == (DIALECTS[dialect].border, DIALECTS[dialect].clipped_bias)
    if with_head:
        assert found.name == dialect
    assert_equal(reading.state, DIALECTS[dialect].read(theirs).state)
    assert not reading.unexplained


@pytest.mark.parametrize("family", ["v1", "v2"])
@pytest.mark.parametrize("depth", [2, 4])
def test_headless_files_of_microsoft_and_timm_are_told_apart(family: str, depth: int):
    """timm itself once took a headless file of its own for an old one, and shifted its merges by a stage."""
    sizes = {"depths": (1,) * depth, "num_heads": (2,) * depth, "window_sizes": ((4, 4),) * depth}
    model = classifier(family, **sizes)
    for dialect, first in (("microsoft", "layers.0.downsample"), ("timm", "layers.1.downsample")):
        theirs = headless(export_weights(model, dialect))
        assert min(name for name in theirs if "downsample" in name).startswith(first)
        assert detect(theirs).name == dialect


def test_a_head_beside_a_prefixed_backbone_is_read_with_it():
    theirs = {
        f"module.{name}": tensor
        for name, tensor in export_weights(classifier("video"), "openmmlab-video").items()
    }
    assert "module.cls_head.fc_cls.bias" in theirs
    reading = detect(theirs).read(theirs)
    assert "head.classifier.bias" in reading.state
    assert not reading.unexplained


def test_a_bare_backbone_of_ours_is_recognised():
    model = classifier()
    found = detect(model.backbone.state_dict())
    assert found.name == "swinkit-backbone"
    assert_equal(found.read(model.backbone.state_dict()).state, headless(canonical(model)))


def test_a_detector_gives_its_backbone_and_the_rest_is_unused():
    theirs = {f"backbone.{name}": tensor for name, tensor in export_weights(pyramid(), "openmmlab").items()}
    rest = {"neck.fpn_convs.0.conv.bias": torch.zeros(2), "roi_head.bbox_head.fc_cls.bias": torch.zeros(2)}
    assert detect(theirs | rest).name == "openmmlab"
    reading = DIALECTS["openmmlab"].read(theirs | rest)
    assert reading.unused == tuple(rest)
    assert not reading.unexplained


def test_first_files_of_v2_call_the_bias_mlp_otherwise():
    model = classifier("v2")
    theirs = {
        name.replace("cpb_mlp", "rpe_mlp"): tensor
        for name, tensor in export_weights(model, "microsoft").items()
    }
    assert any("rpe_mlp" in name for name in theirs)
    reading = detect(theirs).read(theirs)
    assert_equal(reading.state, canonical(model))


@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_bare_backbone_of_video_is_not_taken_for_a_picture_model(prefix: str):
    whole = export_weights(classifier("video"), "openmmlab-video")
    bare = {
        prefix + name.removeprefix("backbone."): tensor
        for name, tensor in whole.items()
        if name.startswith("backbone.")
    }
    found = detect(bare)
    assert (found.name, found.border, found.clipped_bias) == ("openmmlab-video-backbone", "clip", "leading")
    reading = found.read(bare)
    assert "head.norm.weight" in reading.state
    assert not reading.unexplained


def test_a_dialect_for_other_axes_is_refused():
    theirs = export_weights(classifier(), "microsoft")
    with pytest.raises(DataError, match="other axes than openmmlab-video-backbone's models"):
        DIALECTS["openmmlab-video-backbone"].read(theirs)


def test_older_timm_is_microsofts():
    assert dialect_named("timm-old") is DIALECTS["microsoft"]


def test_names_of_no_swin_are_refused_with_a_few_of_them():
    with pytest.raises(DataError, match=r"`conv1.weight`, `fc.bias`"):
        detect({"conv1.weight": torch.zeros(1), "fc.bias": torch.zeros(1)})


def test_names_that_two_dialects_read_differently_are_refused():
    one_stage = {"depths": (2,), "num_heads": (2,), "window_sizes": ((4, 4),)}
    both = export_weights(classifier(**one_stage), "microsoft") | export_weights(
        classifier(**one_stage), "timm"
    )
    with pytest.raises(DataError, match=r"microsoft or of timm.*`head.*say which dialect"):
        detect(both)


def test_a_file_with_a_gap_is_recognised_so_that_loading_can_name_the_gap():
    theirs = export_weights(classifier(), "microsoft")
    whole = {name: tensor for name, tensor in theirs.items() if "downsample" not in name}
    assert (
        detect(whole | {"layers.0.downsample.norm.bias": theirs["layers.0.downsample.norm.bias"]}).name
        == "microsoft"
    )
    with pytest.raises(DataError, match=r"missing +3: `backbone.stages.0.merge"):
        load_weights(classifier(), whole)


def test_two_models_in_one_file_are_refused():
    theirs = export_weights(classifier(), "microsoft")
    both = {f"{prefix}.{name}": tensor for name, tensor in theirs.items() for prefix in ("model", "ema")}
    with pytest.raises(DataError, match=r"two models.*`model.`, `ema.`"):
        detect(both)


def test_a_name_that_means_what_another_has_said_is_unexplained():
    theirs = export_weights(classifier("v2"), "microsoft")
    doubled = theirs | {"layers.0.blocks.0.attn.rpe_mlp.0.bias": torch.zeros(512)}
    assert DIALECTS["microsoft"].read(doubled).unexplained == ("layers.0.blocks.0.attn.rpe_mlp.0.bias",)


def test_a_file_of_another_dialect_than_named_is_refused():
    with pytest.raises(
        DataError, match=r"no features.0.0.weight among .*no Swin in the names of torchvision"
    ):
        DIALECTS["torchvision"].read(export_weights(classifier(), "microsoft"))


@pytest.mark.parametrize(
    ("model", "dialect", "message"),
    [
        (lambda: classifier("video"), "torchvision", "models of 2 axes only, this one has 3"),
        (lambda: classifier(), "torchvision-3d", "models of 3 axes only, this one has 2"),
        (lambda: pyramid(), "timm", r"no place for `norms.0.weight`"),
        (lambda: classifier(absolute_grid=(4, 4)), "timm", r"no place for `backbone.position.embedding`"),
        (lambda: classifier(), "openmmlab", r"no place for `head.norm.weight`"),
    ],
)
def test_what_a_library_cannot_hold_is_refused(model, dialect: str, message: str):
    with pytest.raises(UsageError, match=message):
        export_weights(model(), dialect)


def test_an_unknown_dialect_gets_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'torchvision'"):
        dialect_named("torchvison")


CASES = {
    "swin_v1_a": "microsoft",
    "swin_v1_ape_a": "microsoft",
    "swin_v2_a": "microsoft",
    "swin_v2_c": "microsoft",
    "video_swin_a": "openmmlab-video",
    "det_backbone_a": "openmmlab",
    "timm_swin_a": "timm",
    "timm_swinv2_a": "timm",
    "tv_swin3d_a": "torchvision-3d",
    "tv_swin_v1_a": "torchvision",
    "tv_swin_v2_a": "torchvision",
}


@pytest.mark.parametrize(("case", "dialect"), CASES.items())
def test_files_of_the_reference_code_are_read_whole_and_written_back_bit_for_bit(
    shared, case: str, dialect: str
):
    """Buffers included; but masks depend on a resolution, and torchvision's k third is not used."""
    theirs = load_file(shared / "golden" / case / "weights.safetensors")
    found = detect(theirs)
    assert found.name == dialect
    reading = found.read(theirs)
    assert not reading.unexplained
    assert not reading.unused
    kept = {name: tensor for name, tensor in theirs.items() if not name.endswith("attn_mask")}
    if case == "timm_swinv2_a":  # keeps no coordinates, so nothing tells its windows, and it needs none
        assert_equal(found.write(reading.state), kept)
        return
    written = found.write(reading.state, infer(reading.state, reading.buffers))
    if case == "tv_swin_v2_a":
        for name in [name for name in kept if name.endswith("qkv.bias")]:
            third = len(kept[name]) // 3
            kept[name][third : 2 * third] = 0
    assert_equal(written, kept)
