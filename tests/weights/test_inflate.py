"""A picture model's weights in a model of clips."""

import pytest
import torch
from torch import Tensor

from swinkit.errors import DataError
from swinkit.weights.load import export_weights, load_weights
from swinkit.weights.resize import inflate_embedding, inflate_table, resize_table

from ..models.small import small
from .models import classifier

PICTURE, FRAMES = (64, 96), 8


def still(picture: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, t, h, w): a clip in which nothing moves."""
    return picture.unsqueeze(2).repeat(1, 1, FRAMES, 1, 1)


@pytest.mark.parametrize("dialect", ["microsoft", "timm", "torchvision", "transformers-legacy", "swinkit"])
@pytest.mark.parametrize("frames", [2, 4])
@torch.no_grad()
def test_every_frame_of_a_still_clip_has_the_features_of_the_picture(dialect: str, frames: int):
    source, target = classifier(), small("video", window_sizes=((frames, 4, 4),) * 2)
    report = load_weights(target, export_weights(source, dialect))
    assert set(report.inflated.values()) == {
        "repeated over 2 frames",
        f"from window (4, 4) to ({frames}, 4, 4)",
    }
    assert len(report.inflated) == 5
    picture = torch.randn(2, 3, *PICTURE)
    for flat, deep in zip(source.backbone(picture), target(still(picture)), strict=True):
        assert deep.shape[1] == FRAMES // 2
        torch.testing.assert_close(deep, flat.unsqueeze(1).expand_as(deep), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tables", ["bicubic", "geometric"])
def test_a_window_of_another_face_is_resized_first(tables: str):
    table = torch.randn(49, 2)
    inflated = inflate_table(table, (4, 4), (3, 6, 5), tables)
    expected = resize_table(table, (4, 4), (6, 5), tables)
    assert all(torch.equal(part, expected) for part in inflated.split(11 * 9))
    assert len(inflated) == 5 * 11 * 9
    target = classifier("video", window_sizes=((3, 6, 5),) * 2)
    report = load_weights(target, export_weights(classifier(), "microsoft"), tables=tables)
    how = f"from window (4, 4) to (3, 6, 5), {tables}"
    assert report.inflated["backbone.stages.1.blocks.0.token_mixer.bias.table"] == how


def test_a_patch_is_the_mean_over_its_frames():
    weight = torch.randn(4, 3, 2, 2)
    inflated = inflate_embedding(weight, 4)
    assert inflated.shape == (4, 3, 4, 2, 2)
    torch.testing.assert_close(inflated.sum(2), weight)


def test_a_head_is_carried_over_where_it_fits_and_begins_at_zero_where_it_may():
    source = classifier(num_classes=7)
    same, other = classifier("video", num_classes=7), classifier("video", num_classes=5)
    load_weights(same, export_weights(source, "microsoft"))
    assert torch.equal(same.head.classifier.weight, source.head.classifier.weight)
    with pytest.raises(DataError, match="head='new'"):
        load_weights(other, export_weights(source, "microsoft"))
    report = load_weights(other, export_weights(source, "microsoft"), head="new")
    assert not other.head.classifier.weight.any()
    assert "inflated         5: " in str(report)


def test_input_channels_are_adapted_in_clips_too():
    source, target = classifier(), classifier("video", in_channels=1)
    load_weights(target, export_weights(source, "microsoft"), channels="adapt")
    summed = source.backbone.embed.proj.weight.sum(1, keepdim=True)
    torch.testing.assert_close(target.backbone.embed.proj.weight, inflate_embedding(summed, 2))


@pytest.mark.parametrize(
    ("theirs", "ours", "axes"),
    [("video", "v1", (3, 2)), ("signal", "v1", (1, 2)), ("signal", "video", (1, 3))],
)
def test_other_axes_are_refused(theirs: str, ours: str, axes: tuple[int, int]):
    told = f"has {axes[0]} axes and this one {axes[1]}; only from 2 to 3"
    with pytest.raises(DataError, match=told):
        load_weights(classifier(ours), export_weights(classifier(theirs), "swinkit"))


def test_a_v2_is_not_inflated():
    with pytest.raises(DataError, match=r"8 missing"):
        load_weights(classifier("video"), export_weights(classifier("v2"), "microsoft"))
