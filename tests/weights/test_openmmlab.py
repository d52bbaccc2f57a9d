"""OpenMMLab's names: merging by `nn.Unfold`, norms numbered as their stages, files of several origins."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from swinkit.core.patches import NormThenReduce, ReduceThenNorm
from swinkit.errors import DataError
from swinkit.files.contents import State
from swinkit.weights.dialect_table import DIALECTS, detect
from swinkit.weights.dialects.openmmlab import to_published_order, to_unfold_order
from swinkit.weights.load import canonical, export_weights

from ..models.small import stirred
from .models import classifier, pyramid


def four_tokens(x: Tensor) -> Tensor:
    """(B, h, w, C) -> (B, h / 2, w / 2, 4 * C), as `nn.Unfold` lays them out."""
    height, width = x.shape[1:3]
    rows = F.unfold(x.movedim(-1, 1), kernel_size=2, stride=2).transpose(1, 2)
    return rows.unflatten(1, (height // 2, width // 2))


def merge_of(state: State, stage: int) -> tuple[Tensor, Tensor, Tensor]:
    """Norm weight and bias, and reduction, of their merge."""
    names = ("norm.weight", "norm.bias", "reduction.weight")
    return tuple(state[f"backbone.stages.{stage}.downsample.{name}"] for name in names)


@pytest.mark.parametrize("dialect", ["openmmlab", "openmmlab-dense"])
def test_a_v1_merges_by_unfold_as_ours_does_by_fold(dialect: str):
    model = classifier() if dialect == "openmmlab" else pyramid()
    weight, bias, reduction = merge_of(export_weights(model, dialect), stage=0)
    x = torch.randn(2, 6, 4, 12)
    ours = model.backbone.stages[0].merge
    theirs = F.linear(F.layer_norm(four_tokens(x), (48,), weight, bias), reduction)
    assert isinstance(ours, NormThenReduce)
    torch.testing.assert_close(theirs, ours(x), rtol=0, atol=1e-5)


def test_a_v2_merges_by_unfold_at_the_start_of_the_next_stage():
    model = classifier("v2")
    weight, bias, reduction = merge_of(export_weights(model, "openmmlab-v2"), stage=1)
    x = torch.randn(2, 6, 4, 12)
    ours = model.backbone.stages[0].merge
    theirs = F.layer_norm(F.linear(four_tokens(x), reduction), (24,), weight, bias)
    assert isinstance(ours, ReduceThenNorm)
    torch.testing.assert_close(theirs, ours(x), rtol=0, atol=1e-5)


def test_the_unfolded_order_is_another_than_the_published_one():
    """A wrong order would be seen: the two differ by as much as the answer is large."""
    model = stirred(NormThenReduce(12, (2, 2)))
    x = torch.randn(2, 6, 4, 12)
    mistaken = F.linear(
        F.layer_norm(four_tokens(x), (48,), model.norm.weight, model.norm.bias), model.reduction.weight
    )
    assert (mistaken - model(x)).abs().max() > 0.5 * model(x).abs().max()


def test_both_orders_hold_the_same_channels():
    """Published: the column of a token is slowest, its channel fastest; upstream the other way round."""
    channels = torch.arange(4 * 3).reshape(2, 2, 3)  # column, row, channel
    assert to_unfold_order(channels.flatten()).reshape(3, 2, 2)[2, 1, 0] == channels[0, 1, 2]
    assert torch.equal(to_published_order(to_unfold_order(channels.flatten())), channels.flatten())


def test_the_extra_norms_of_the_largest_v2_come_back():
    model = classifier("v2", norm_every=2)
    theirs = export_weights(model, "openmmlab-v2")
    assert "backbone.stages.1.blocks.1.norm3.weight" in theirs
    assert detect(theirs).name == "openmmlab-v2"
    assert DIALECTS["openmmlab-v2"].read(theirs).state.keys() == canonical(model).keys()


@pytest.mark.parametrize(("dialect", "family"), [("openmmlab", "v1"), ("mmaction2", "video")])
def test_a_classifiers_norm_bears_the_number_of_its_last_stage(dialect: str, family: str):
    theirs = export_weights(classifier(family), dialect)
    assert {"backbone.norm1.weight", "backbone.norm1.bias"} <= theirs.keys()
    assert not any("norm0" in name for name in theirs)


def test_files_converted_from_microsofts_keep_the_norms_old_name():
    theirs = export_weights(classifier(), "openmmlab")
    converted = {
        re.sub("^norm1", "norm", name.removeprefix("backbone.")): value
        for name, value in theirs.items()
        if not name.startswith("head.")
    }
    assert {"norm.weight", "patch_embed.projection.weight"} <= converted.keys()
    reading = detect(converted).read(converted)
    assert "head.norm.weight" in reading.state
    assert not reading.unexplained


def test_the_last_norm_alone_is_a_classifiers_or_a_dense_backbones():
    theirs = export_weights(classifier(), "openmmlab")
    alone = {name: value for name, value in theirs.items() if not name.startswith("head.")}
    with pytest.raises(DataError, match=r"openmmlab or of openmmlab-dense.*norm1.*choose one: dialect="):
        detect(alone)
    assert "head.norm.bias" in DIALECTS["openmmlab"].read(alone).state
    assert "norms.1.bias" in DIALECTS["openmmlab-dense"].read(alone).state


def test_masks_in_the_first_files_of_mmclassification_are_rebuilt():
    theirs = export_weights(classifier(), "openmmlab")
    mask = {"backbone.stages.0.blocks.1.attn.attn_mask": torch.zeros(4, 16, 16)}
    reading = DIALECTS["openmmlab"].read(theirs | mask)
    assert set(mask) <= set(reading.rebuilt)
    assert not reading.unexplained
