"""From tensors to a spec: what they tell is right, and what they cannot tell is not guessed."""

from dataclasses import replace

import pytest
import torch

from swinkit.core.spec import Spec
from swinkit.errors import DataError, UsageError
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.weights.buffers import log_coordinates, relative_index
from swinkit.weights.dialect_table import detect
from swinkit.weights.dialects.microsoft import MICROSOFT
from swinkit.weights.infer import infer, table_window
from swinkit.weights.load import canonical, export_weights

from ..models.small import Headed
from .models import classifier, reconstructor


def told(spec: Spec) -> Spec:
    """`spec` without what no tensor tells."""
    return replace(spec, drop_path=0.0)


TOLD = [name for name, variant in VARIANTS.items() if variant.family in ("v1", "video", "mlp")]


@pytest.mark.parametrize("name", TOLD)
def test_published_variants_are_told_from_their_parameters(name: str):
    with torch.device("meta"):
        backbone = build(VARIANTS[name].spec)
    assert infer(backbone.state_dict()) == told(VARIANTS[name].spec)


@pytest.mark.parametrize("name", ["swinv2-t", "swinv2-t-w16", "swinv2-b-w24-from12"])
def test_a_v2_is_told_with_the_coordinates_that_microsoft_keeps(name: str):
    spec = replace(VARIANTS[name].spec, depths=(1, 1, 1, 1))
    with torch.device("meta"):
        backbone = build(spec)
    reading = MICROSOFT.read(export_weights(backbone, "microsoft"))
    assert infer(reading.state, reading.buffers) == told(spec)


@pytest.mark.parametrize("family", ["v2", "v2-cr"])
def test_windows_that_no_tensor_tells_must_be_named(family: str):
    with pytest.raises(UsageError, match="name the variant"):
        infer(canonical(classifier(family)))


def test_the_period_of_a_v2s_main_norms_is_told():
    model = classifier("v2", depths=(2, 7), norm_every=3)
    buffers = {
        f"backbone.stages.{i}.blocks.0.token_mixer.bias.coordinates": log_coordinates((4, 4), (4, 4))
        for i in range(2)
    }
    assert infer(canonical(model), buffers) == model.backbone.spec


def test_the_square_windows_of_a_swin_mlp_are_told_and_others_must_be_named():
    model = classifier("mlp", window_sizes=((5, 5), (3, 3)), mlp_ratio=2.0)
    assert infer(canonical(model)) == model.backbone.spec
    with pytest.raises(UsageError, match=r"windows of \[15, 9\] tokens are no squares; name the variant"):
        infer(canonical(classifier("mlp", window_sizes=((3, 5), (3, 3)))))


@pytest.mark.parametrize(
    "changes",
    [
        {"in_channels": 5},
        {"patch": (2, 2)},
        {"qkv_bias": False},
        {"patch_norm": False},
        {"absolute_grid": (5, 7)},
        {"mlp_ratio": 2.5},
        {"depths": (3, 1), "num_heads": (3, 6)},
        {"depths": (2,), "num_heads": (2,), "window_sizes": ((6, 6),)},
        {"window_sizes": ((7, 7), (3, 3))},
    ],
)
def test_options_are_told(changes: dict):
    model = classifier(**changes)
    assert infer(canonical(model)) == model.backbone.spec


@pytest.mark.parametrize("family", ["v1", "video"])
def test_an_oblong_window_is_told_by_the_index_that_a_file_keeps(family: str):
    windows = {"v1": ((3, 5), (5, 2)), "video": ((2, 3, 5), (4, 5, 5))}[family]
    model = classifier(family, window_sizes=windows)
    with pytest.raises(UsageError, match="no square window, or several"):
        infer(canonical(model))
    kept = {
        f"backbone.stages.{i}.blocks.0.token_mixer.bias.index": relative_index(window)
        for i, window in enumerate(windows)
    }
    assert infer(canonical(model), kept).window_sizes == windows


@pytest.mark.parametrize(
    ("rows", "window"), [(2535, (8, 7, 7)), (5239, (16, 7, 7)), (343, (4, 4, 4)), (567, None)]
)
def test_a_table_of_three_axes_is_a_published_window_or_a_cube(rows: int, window: tuple[int, ...] | None):
    """567 = 7 * 9 * 9 = 63 * 3 * 3 rows could be (4, 5, 5) or (32, 2, 2)."""
    assert table_window(torch.empty(rows, 2), 3, None) == window


@pytest.mark.parametrize(
    "lost", ["embed.proj.weight", "stages.0.merge.reduction.weight", "stages.0.blocks.0.norm1.weight"]
)
def test_tensors_of_no_whole_swin_are_refused(lost: str):
    state = canonical(classifier())
    del state[f"backbone.{lost}"]
    with pytest.raises(DataError, match="no whole Swin"):
        infer(state)
    with pytest.raises(DataError, match="no whole Swin"):
        infer({})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("embed.proj.weight", (12, 3)),
        ("embed.proj.weight", (0, 3, 4, 4)),
        ("stages.0.merge.reduction.weight", (24,)),
        ("stages.0.merge.reduction.weight", (24, 36)),
        ("stages.1.blocks.0.token_mixer.bias.table", (49, 5)),
        ("stages.0.blocks.0.token_mixer.bias.table", (49,)),
    ],
)
def test_shapes_of_no_swin_are_refused(name: str, shape: tuple[int, ...]):
    with pytest.raises(DataError, match=r"no Swin|not known|none of 1, 2 or 3 axes"):
        infer(canonical(classifier()) | {f"backbone.{name}": torch.zeros(shape)})


@pytest.mark.parametrize("dialect", ["transformers", "transformers-legacy", "openmmlab"])
def test_a_v1_is_told_from_the_tables_of_any_library(dialect: str):
    spec = classifier(depths=(2, 3), window_sizes=((4, 4), (4, 4)), absolute_grid=(8, 8)).backbone.spec
    theirs = export_weights(Headed(build(spec)), dialect)
    reading = detect(theirs).read(theirs)
    assert infer(reading.state, reading.buffers) == spec


@pytest.mark.parametrize("dialect", ["openmmlab-v2", "microsoft-simmim"])
def test_a_v2_is_told_where_coordinates_are_kept(dialect: str):
    windows = {"window_sizes": ((6, 6), (6, 6)), "pretrained_window_sizes": ((4, 4), (3, 3))}
    model = (reconstructor if dialect == "microsoft-simmim" else classifier)("v2", **windows)
    theirs = export_weights(model, dialect)
    reading = detect(theirs).read(theirs)
    assert infer(reading.state, reading.buffers) == model.backbone.spec


def test_a_video_model_of_mmaction2_is_told_with_any_window():
    model = classifier("video", window_sizes=((2, 4, 6), (2, 4, 6)))
    theirs = export_weights(model, "mmaction2")
    reading = detect(theirs).read(theirs)
    assert infer(reading.state, reading.buffers) == model.backbone.spec


def test_transformers_keeps_no_coordinates_of_a_v2_so_that_its_windows_must_be_named():
    theirs = export_weights(classifier("v2"), "transformers-v2")
    reading = detect(theirs).read(theirs)
    with pytest.raises(UsageError, match="name the variant"):
        infer(reading.state, reading.buffers)
