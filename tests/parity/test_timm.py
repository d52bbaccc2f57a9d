"""timm answers as we do, with its weights in our model and with ours in its model."""

from dataclasses import replace

import pytest
import torch
from timm.models import swin_transformer, swin_transformer_v2
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from torch import nn

from swinkit.core.spec import Size, Spec
from swinkit.models.families import SpecV2
from swinkit.weights.load import export_weights, load_weights

from .libraries import CLASSES, CLOSE, difference, loud, twin

pytestmark = pytest.mark.slow

NUMBERS = {"embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 4, 4)}
SIZES: dict[str, Size] = {
    "square": (64, 64),
    "oblong": (64, 128),
    "smaller than its windows": (32, 64),
    "padded": (72, 104),
}


def library(family: str, size: Size) -> nn.Module:
    """timm's model; it wants to know the size of its pictures."""
    numbers = {**NUMBERS, "img_size": size, "window_size": 4, "num_classes": CLASSES}
    if family == "v2":
        return loud(SwinTransformerV2(**numbers, pretrained_window_sizes=(3, 3, 2)))
    return loud(SwinTransformer(**numbers))


def spec_of(family: str, model: nn.Module) -> Spec:
    """Ours, with timm's borders and with the windows that timm cut to the size of its pictures."""
    windows = tuple(tuple(layer.blocks[0].window_size) for layer in model.layers)
    if family == "v2":
        reference = ((3, 3), (3, 3), (2, 2))
        return SpecV2(**NUMBERS, window_sizes=windows, pretrained_window_sizes=reference, border="roll-first")
    return Spec(**NUMBERS, window_sizes=windows, border="roll-first")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("family", ["v1", "v2"])
def test_timms_weights_answer_the_same_in_our_model(family: str, size: Size):
    theirs = library(family, size)
    ours = twin(spec_of(family, theirs))
    x = torch.randn(2, 3, *size)
    assert difference(ours, theirs, x) > 0.1
    assert load_weights(ours, theirs.state_dict()).dialect == "timm"
    assert difference(ours, theirs, x) < CLOSE


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("family", ["v1", "v2"])
def test_our_weights_answer_the_same_in_timms_model(family: str, size: Size):
    theirs = library(family, size)
    ours = twin(spec_of(family, theirs))
    theirs.load_state_dict(export_weights(ours, "timm"), strict=True)
    assert difference(ours, theirs, torch.randn(2, 3, *size)) < CLOSE


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_timms_border_matters_where_it_pads_and_shifts(family: str):
    """timm rolls before it pads, so its mask joins tokens that were no neighbours; our default does not."""
    theirs = library(family, SIZES["padded"])
    ours = twin(replace(spec_of(family, theirs), border="clip"))
    load_weights(ours, theirs.state_dict())
    assert difference(ours, theirs, torch.randn(2, 3, *SIZES["padded"])) > 1e-3


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_timms_own_filter_reads_what_we_write_as_microsoft(family: str):
    """timm converts Microsoft's files by itself; ours give the same as what we write for timm."""
    theirs = library(family, SIZES["square"])
    ours = twin(spec_of(family, theirs))
    convert = {"v1": swin_transformer, "v2": swin_transformer_v2}[family].checkpoint_filter_fn
    converted = convert({"model": export_weights(ours, "microsoft")}, theirs)
    written = export_weights(ours, "timm")
    assert converted.keys() == written.keys()
    assert all(torch.equal(converted[name], written[name]) for name in written)
