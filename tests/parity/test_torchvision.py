"""torchvision answers as we do, with its weights in our model and with ours in its model."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.video.swin_transformer import SwinTransformer3d

from swinkit.core.spec import Size, Spec
from swinkit.models.families import SpecV2
from swinkit.weights.load import export_weights, load_weights

from .libraries import CLASSES, CLOSE, difference, loud, twin

pytestmark = pytest.mark.slow

NUMBERS = {"embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 4, 4)}
VIDEO = {**NUMBERS, "patch": (2, 4, 4), "merge": (1, 2, 2), "window_sizes": ((4, 4, 4),) * 3}
SPECS: dict[str, Spec] = {
    "v1": Spec(**NUMBERS, window_sizes=((4, 4),) * 3, border="pad-unshifted"),
    "v2": SpecV2(**NUMBERS, window_sizes=((4, 4),) * 3, border="pad-unshifted"),
    "video": Spec(**VIDEO, clipped_bias="leading"),
}
DIALECTS = {"v1": "torchvision", "v2": "torchvision", "video": "torchvision-3d"}
SIZES: dict[str, tuple[str, Size]] = {
    f"{family} {name}": (family, size)
    for families, sizes in {
        ("v1", "v2"): {"square": (64, 64), "oblong": (64, 128), "padded": (52, 76), "tiny": (20, 36)},
        ("video",): {"square": (16, 64, 64), "oblong": (8, 32, 64), "padded": (5, 44, 56)},
    }.items()
    for name, size in sizes.items()
    for family in families
}


def library(family: str) -> nn.Module:
    """torchvision's model, the same for every size."""
    spec = SPECS[family]
    numbers = {
        **NUMBERS,
        "patch_size": list(spec.patch),
        "window_size": list(spec.window_sizes[0]),
        "num_classes": CLASSES,
    }
    if family == "video":
        return loud(SwinTransformer3d(**numbers))
    if family == "v2":
        return loud(SwinTransformer(**numbers, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2))
    return loud(SwinTransformer(**numbers))


@pytest.mark.parametrize(("family", "size"), SIZES.values(), ids=SIZES)
def test_torchvisions_weights_answer_the_same_in_our_model(family: str, size: Size):
    theirs, ours = library(family), twin(SPECS[family])
    x = torch.randn(2, 3, *size)
    assert difference(ours, theirs, x) > 0.1
    assert load_weights(ours, theirs.state_dict()).dialect == DIALECTS[family]
    assert difference(ours, theirs, x) < CLOSE


@pytest.mark.parametrize(("family", "size"), SIZES.values(), ids=SIZES)
def test_our_weights_answer_the_same_in_torchvisions_model(family: str, size: Size):
    theirs, ours = library(family), twin(SPECS[family])
    theirs.load_state_dict(export_weights(ours, DIALECTS[family]), strict=True)
    assert difference(ours, theirs, torch.randn(2, 3, *size)) < CLOSE


@pytest.mark.parametrize("family", SPECS)
def test_buffers_are_written_as_torchvision_makes_them(family: str):
    theirs, ours = library(family), twin(SPECS[family])
    written = export_weights(ours, DIALECTS[family])
    buffers = dict(theirs.named_buffers())
    assert len(buffers) == {"v1": 6, "v2": 12, "video": 6}[family]
    assert all(torch.equal(written[name], buffer) for name, buffer in buffers.items())


def test_the_bias_of_keys_that_torchvision_stores_for_v2_has_no_effect():
    theirs = library("v2")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = theirs(x)
        for name, parameter in theirs.named_parameters():
            if name.endswith("qkv.bias"):
                parameter.unflatten(0, (3, -1))[1].normal_()
        assert torch.equal(theirs(x), before)


@pytest.mark.parametrize(
    ("family", "size", "change"),
    [
        ("v1", (52, 76), {"border": "pad"}),
        ("v2", (20, 36), {"border": "clip"}),
        ("video", (5, 44, 56), {"clipped_bias": "middle"}),
    ],
)
def test_torchvisions_borders_matter_at_small_sizes(family: str, size: Size, change: dict[str, str]):
    """In 2-D it pads windows up and does not shift there; in 3-D it misplaces a clipped window's bias."""
    theirs, ours = library(family), twin(replace(SPECS[family], **change))
    load_weights(ours, theirs.state_dict())
    assert difference(ours, theirs, torch.randn(2, 3, *size)) > 1e-3
