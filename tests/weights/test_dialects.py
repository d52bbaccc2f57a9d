"""Dialects: exact both ways, and told from the names alone."""

from functools import cache

import pytest
import torch

from swinkit.errors import DataError, UsageError
from swinkit.files.contents import State
from swinkit.weights.dialect_table import DIALECTS, detect, dialect_named
from swinkit.weights.load import canonical, export_weights, load_weights

from ..models.small import small
from .models import assert_equal, classifier, pyramid, reconstructor

MAKERS = {"classifier": classifier, "pyramid": pyramid, "simmim": reconstructor, "backbone": small}
HELD = [  # dialect, kind of model, families
    ("microsoft", "classifier", ("v1", "v2", "mlp", "moe")),
    ("microsoft-simmim", "simmim", ("v1", "v2")),
    ("timm", "classifier", ("v1", "v2")),
    ("timm-cr", "classifier", ("v2-cr",)),
    ("torchvision", "classifier", ("v1", "v2")),
    ("torchvision-3d", "classifier", ("video",)),
    ("transformers", "classifier", ("v1",)),
    ("transformers", "simmim", ("v1",)),
    ("transformers-legacy", "classifier", ("v1",)),
    ("transformers-legacy", "simmim", ("v1",)),
    ("transformers-v2", "classifier", ("v2",)),
    ("transformers-v2", "simmim", ("v2",)),
    ("transformers-backbone", "pyramid", ("v1",)),
    ("transformers-legacy-backbone", "pyramid", ("v1",)),
    ("transformers-v2-backbone", "backbone", ("v2",)),
    ("openmmlab", "classifier", ("v1",)),
    ("openmmlab", "simmim", ("v1",)),
    ("openmmlab-v2", "classifier", ("v2",)),
    ("openmmlab-v2", "simmim", ("v2",)),
    ("openmmlab-dense", "pyramid", ("v1",)),
    ("openmmlab-fork", "pyramid", ("v1",)),
    ("openmmlab-video", "classifier", ("video",)),
    ("mmaction2", "classifier", ("video",)),
    ("detectron2", "pyramid", ("v1",)),
    *(
        ("swinkit", kind, ("v1", "v2", "v2-cr", "mlp", "moe", "video"))
        for kind in ("classifier", "pyramid", "simmim")
    ),
    ("swinkit-backbone", "backbone", ("v1", "v2", "v2-cr", "mlp", "moe", "video")),
]
WHOLE = [(dialect, kind, family) for dialect, kind, families in HELD for family in families]
WITH_POSITIONS = ("microsoft", "transformers", "transformers-legacy", "openmmlab", "openmmlab-v2")
PREFIXES = ("", "module.", "model.", "module.backbone.", "encoder.")
FEWER = ("", "module.backbone.", "encoder.")


@cache
def written(dialect: str, kind: str, family: str) -> State:
    """Return a model of that kind in the names of `dialect`; to be looked at only."""
    return export_weights(MAKERS[kind](family), dialect)


def headless(state: State, dialect: str) -> State:
    """Return the backbone alone."""
    match = DIALECTS[dialect].match(state)
    assert match is not None
    beside = {theirs for theirs, ours in match.renamed.items() if not ours[0].startswith("backbone.")}
    return {name: tensor for name, tensor in state.items() if name not in beside}


@pytest.mark.parametrize(("dialect", "kind", "family"), WHOLE)
def test_writing_and_reading_gives_every_tensor_back(dialect: str, kind: str, family: str):
    positions = {"absolute_grid": (8, 12)} if dialect in WITH_POSITIONS and family in ("v1", "v2") else {}
    model = MAKERS[kind](family, **positions)
    spec = (model if kind == "backbone" else model.backbone).spec
    theirs = export_weights(model, dialect)
    reading = DIALECTS[dialect].read(theirs, spec)
    assert_equal(reading.state, canonical(model))
    assert not reading.unexplained
    assert not reading.unused
    assert_equal(DIALECTS[dialect].write(reading.state, spec), theirs)


@pytest.mark.parametrize(("dialect", "kind", "family"), WHOLE)
def test_what_is_written_shares_memory_with_no_other_tensor(dialect: str, kind: str, family: str):
    """So that any format can save it."""
    theirs = written(dialect, kind, family)
    assert len({tensor.untyped_storage().data_ptr() for tensor in theirs.values()}) == len(theirs)


@pytest.mark.parametrize("positions", [None, (6, 9)])
def test_a_pyramid_comes_back_from_the_dense_forks(positions: tuple[int, int] | None):
    model = pyramid(absolute_grid=positions)
    theirs = export_weights(model, "openmmlab-fork")
    assert {"norm0.weight", "norm1.bias"} <= theirs.keys()
    reading = DIALECTS["openmmlab-fork"].read(theirs)
    assert_equal(reading.state, canonical(model))
    assert detect(theirs).name == "openmmlab-fork"


@pytest.mark.parametrize(("dialect", "kind", "family"), WHOLE)
def test_a_dialect_is_told_from_the_names(dialect: str, kind: str, family: str):
    theirs, expected = written(dialect, kind, family), DIALECTS[dialect]
    state = expected.read(theirs).state
    for prefix in PREFIXES:
        wrapped = {prefix + name: tensor for name, tensor in theirs.items()}
        found = detect(wrapped)
        reading = found.read(wrapped)
        assert (found.border, found.clipped_bias) == (expected.border, expected.clipped_bias), prefix
        assert found.name == dialect or kind == "backbone", prefix
        assert_equal(reading.state, state)
        assert not reading.unexplained, prefix


@pytest.mark.parametrize(("dialect", "kind", "family"), WHOLE)
def test_a_backbone_without_its_head_is_read_the_same(dialect: str, kind: str, family: str):
    """Nothing but the head tells a dense backbone's border from a classifier's."""
    theirs, expected = headless(written(dialect, kind, family), dialect), DIALECTS[dialect]
    state = expected.read(theirs).state
    for prefix in FEWER:
        wrapped = {prefix + name: tensor for name, tensor in theirs.items()}
        found = detect(wrapped)
        reading = found.read(wrapped)
        assert_equal(reading.state, state)
        assert not reading.unexplained, prefix
        if kind != "pyramid":
            assert (found.border, found.clipped_bias) == (expected.border, expected.clipped_bias), prefix


@pytest.mark.parametrize("family", ["v1", "v2"])
@pytest.mark.parametrize("depth", [2, 4])
def test_headless_files_of_microsoft_and_timm_are_told_apart(family: str, depth: int):
    """timm itself once took a headless file of its own for an old one, and shifted its merges by a stage."""
    sizes = {"depths": (1,) * depth, "num_heads": (2,) * depth, "window_sizes": ((4, 4),) * depth}
    model = classifier(family, **sizes)
    for dialect, first in (("microsoft", "layers.0.downsample"), ("timm", "layers.1.downsample")):
        theirs = headless(export_weights(model, dialect), dialect)
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
    assert_equal(found.read(model.backbone.state_dict()).state, headless(canonical(model), "swinkit"))


@pytest.mark.parametrize(("dialect", "prefix"), [("openmmlab-fork", "backbone."), ("openmmlab-dense", "")])
def test_a_detector_gives_its_backbone_and_the_rest_is_unused(dialect: str, prefix: str):
    theirs = {f"{prefix}{name}": tensor for name, tensor in export_weights(pyramid(), dialect).items()}
    rest = {"neck.fpn_convs.0.conv.bias": torch.zeros(2), "roi_head.bbox_head.fc_cls.bias": torch.zeros(2)}
    assert detect(theirs | rest).name == dialect
    reading = DIALECTS[dialect].read(theirs | rest)
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
    with pytest.raises(DataError, match=r"microsoft or of timm.*`head.*choose one: dialect="):
        detect(both)


def test_a_file_with_a_gap_is_recognised_so_that_loading_can_name_the_gap():
    theirs = export_weights(classifier(), "microsoft")
    whole = {name: tensor for name, tensor in theirs.items() if "downsample" not in name}
    assert (
        detect(whole | {"layers.0.downsample.norm.bias": theirs["layers.0.downsample.norm.bias"]}).name
        == "microsoft"
    )
    with pytest.raises(DataError, match=r"3 missing .first: `backbone.stages.0.merge"):
        load_weights(classifier(), whole)


def test_two_models_in_one_file_are_refused():
    theirs = export_weights(classifier(), "microsoft")
    both = {f"{prefix}.{name}": tensor for name, tensor in theirs.items() for prefix in ("model", "other")}
    with pytest.raises(DataError, match=r"two models.*`model.`, `other.`; choose one"):
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
        (lambda: classifier(absolute_grid=(4, 4)), "timm", "no absolute position embedding"),
        (lambda: classifier(), "openmmlab-fork", r"no place for `head.norm.weight`"),
    ],
)
def test_what_a_library_cannot_hold_is_refused(model, dialect: str, message: str):
    with pytest.raises(UsageError, match=message):
        export_weights(model(), dialect)


def test_an_unknown_dialect_gets_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'torchvision'"):
        dialect_named("torchvison")
