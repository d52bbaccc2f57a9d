"""timm's V2-CR and S3 models answer as ours, with its weights in our model and with ours in its model."""

import math
from dataclasses import replace

import pytest
import timm
import torch
from timm.models.swin_transformer_v2_cr import SwinTransformerV2Cr
from torch import Tensor, nn

from swinkit.core.position import log_offsets, pairs, printed_offsets
from swinkit.core.spec import Size
from swinkit.models.families import SpecCR
from swinkit.models.specs import VARIANTS
from swinkit.weights.dialect_table import detect
from swinkit.weights.load import export_weights, load_weights

from .libraries import CLASSES, CLOSE, difference, loud, twin

pytestmark = pytest.mark.slow

NUMBERS = {"embed_dim": 16, "depths": (2, 3, 2), "num_heads": (2, 4, 4)}
SIZES: dict[str, Size] = {
    "square": (64, 64),
    "oblong": (64, 128),
    "smaller than its windows": (32, 64),
    "padded": (72, 104),
}
NORMS = {  # timm's options, and ours
    "last": ({}, {}),
    "stages": ({"extra_norm_stage": True}, {"norm_stages": True}),
    "every second block": ({"extra_norm_period": 2}, {"norm_every": 2}),
    "both": ({"extra_norm_period": 2, "extra_norm_stage": True}, {"norm_every": 2, "norm_stages": True}),
}


def library(size: Size, **options: object) -> SwinTransformerV2Cr:
    """timm's model; it wants to know the size of its pictures."""
    numbers = {**NUMBERS, "img_size": size, "window_size": 4, "num_classes": CLASSES, **options}
    return loud(SwinTransformerV2Cr(**numbers))


def spec_of(model: SwinTransformerV2Cr, **numbers: object) -> SpecCR:
    """Ours, with timm's borders and with the windows that timm cut to the size of its pictures."""
    windows = tuple(tuple(stage.blocks[0].window_size) for stage in model.stages)
    return SpecCR(**NUMBERS, window_sizes=windows, border="roll-first", **numbers)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("norms", NORMS)
def test_timms_weights_answer_the_same_in_our_model(norms: str, size: Size):
    theirs = library(size, **NORMS[norms][0])
    ours = twin(spec_of(theirs, **NORMS[norms][1]))
    x = torch.randn(2, 3, *size)
    assert difference(ours, theirs, x) > 0.1
    assert load_weights(ours, theirs.state_dict()).dialect == "timm-cr"
    assert difference(ours, theirs, x) < CLOSE


@pytest.mark.parametrize("norms", NORMS)
def test_our_weights_answer_the_same_in_timms_model(norms: str):
    theirs = library(SIZES["oblong"], **NORMS[norms][0])
    ours = twin(spec_of(theirs, **NORMS[norms][1]))
    theirs.load_state_dict(export_weights(ours, "timm-cr"), strict=True)
    assert difference(ours, theirs, torch.randn(2, 3, *SIZES["oblong"])) < CLOSE


@pytest.mark.parametrize("norms", NORMS)
def test_weights_go_there_and_back_unchanged(norms: str):
    theirs = library(SIZES["square"], **NORMS[norms][0])
    state = theirs.state_dict()
    ours = twin(spec_of(theirs, **NORMS[norms][1]))
    load_weights(ours, state)
    back = export_weights(ours, "timm-cr")
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_files_of_2022_hold_temperatures_as_divisors_and_call_the_classifier_head():
    """As timm's own filter reads them; at most 100 stays at least 0.01."""
    theirs = library(SIZES["square"])
    ours = twin(spec_of(theirs))
    load_weights(ours, of_2022(theirs.state_dict()))
    assert difference(ours, theirs, torch.randn(2, 3, *SIZES["square"])) < CLOSE


def of_2022(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` in the older names; every temperature of a file of that time is positive."""
    old = {}
    for name, tensor in state.items():
        if name.endswith("logit_scale"):
            old[name.replace("logit_scale", "tau")] = tensor.neg().exp()
        else:
            old[name.replace("head.fc.", "head.")] = tensor
    return old


def test_a_feature_extractor_without_a_head_is_read_too():
    theirs = library(SIZES["square"])
    theirs.reset_classifier(0)
    state = theirs.state_dict()
    reading = detect(state).read(state)
    assert reading.unexplained == ()
    assert {name for name in reading.state if not name.startswith("backbone.")} == {
        "head.norm.weight",
        "head.norm.bias",
    }


def test_printed_offsets_are_the_table_of_timms_v2_cr():
    """And not that of the released V2, which is in units of the window."""
    theirs = library((56, 56), window_size=7).stages[0].blocks[0].attn.relative_coordinates_log
    found = pairs(printed_offsets((7, 7), torch.device("cpu"), torch.float32))
    torch.testing.assert_close(found.flatten(1).T, theirs)
    assert {0.6931, 1.0986} <= {round(value, 4) for value in theirs.flatten().tolist()}
    released = pairs(log_offsets((7, 7), (7, 7), torch.device("cpu"), torch.float32))
    assert (released - found).abs().max() > 0.5


@torch.no_grad()
def test_the_temperature_is_capped_at_100_as_in_timm():
    theirs = library(SIZES["square"])
    ours = twin(spec_of(theirs))
    load_weights(ours, theirs.state_dict())
    for model, name in ((theirs, "logit_scale"), (ours, "log_scale")):
        for key, parameter in model.named_parameters():
            if key.endswith(name):
                nn.init.constant_(parameter, math.log(100) + 1)
    assert (
        difference(ours, theirs, torch.randn(2, 3, *SIZES["square"])) < 10 * CLOSE
    )  # such scores lose two digits


@pytest.mark.parametrize("name", ["swin-s3-t", "swin-s3-s", "swin-s3-b"])
def test_swin_s3_of_timm_takes_our_weights_and_answers_the_same(name: str):
    """Two blocks in its third stage, and narrow; else its windows and heads."""
    small = {"embed_dim": 24, "depths": (2, 2, 2, 2)}
    variant = VARIANTS[name]
    theirs = loud(timm.create_model(variant.aliases[0], num_classes=CLASSES, **small))
    ours = twin(replace(variant.spec, **small))
    theirs.load_state_dict(export_weights(ours, "timm"), strict=True)
    assert difference(ours, theirs, torch.randn(1, 3, *variant.size)) < CLOSE
