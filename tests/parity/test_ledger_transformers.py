"""The rows of docs/parity.md on transformers: the difference is there, and we do as the row says."""

import pytest
import torch
from torch import nn

from swinkit.models.build import build
from swinkit.weights.load import load_weights
from tests.models.small import stirred

from .libraries import CLOSE, twin
from .transformers_models import CLASSIFIERS, gap, library, logits, spec_of

pytestmark = pytest.mark.slow


def ours_of(theirs: nn.Module, family: str, size: tuple[int, int], **changes: object) -> nn.Module:
    """Return our model with their weights."""
    model = twin(spec_of(family, size, **changes))
    load_weights(model, theirs.state_dict())
    return model


@torch.no_grad()
def test_v1_of_transformers_remembers_a_small_picture_and_ours_does_not():
    large, small = torch.randn(1, 3, 96, 96), torch.randn(1, 3, 64, 64)
    theirs = library(CLASSIFIERS, "v1", (96, 96))
    ours = ours_of(theirs, "v1", (96, 96))
    before, ours_before = logits(theirs, large), ours(large)
    logits(theirs, small)
    ours(small)
    assert gap(logits(theirs, large), before) > 1e-3
    assert torch.equal(ours(large), ours_before)


@torch.no_grad()
def test_v1_of_transformers_cannot_run_a_stage_that_is_smaller_than_its_window():
    theirs = library(CLASSIFIERS, "v1", (32, 32))
    pixels = torch.randn(1, 3, 32, 32)
    with pytest.raises(RuntimeError, match="must match"):
        theirs(pixels)
    assert ours_of(theirs, "v1", (32, 32))(pixels).isfinite().all()


@torch.no_grad()
def test_v2_of_transformers_takes_windows_and_shifts_from_the_height_alone():
    for size, same in (((32, 64), True), ((64, 32), False)):  # 8 x 16 patches, and 16 x 8
        theirs = library(CLASSIFIERS, "v2", size, window_size=8)
        windows = tuple((side, side) for side in (8, size[0] // 8, size[0] // 16))
        ours = ours_of(theirs, "v2", size, window_sizes=windows)
        pixels = torch.randn(1, 3, *size)
        assert (gap(ours(pixels), logits(theirs, pixels)) < CLOSE) == same


@torch.no_grad()
def test_v2_of_transformers_keeps_the_windows_of_the_size_it_was_built_for():
    theirs = library(CLASSIFIERS, "v2", (32, 32))
    ours = ours_of(theirs, "v2", (32, 32))
    for size, same in (((32, 32), True), ((64, 64), False)):
        pixels = torch.randn(1, 3, *size)
        assert (gap(ours(pixels), logits(theirs, pixels)) < CLOSE) == same


@torch.no_grad()
def test_v2_of_transformers_adds_the_mask_twice():
    """Seen only where temperatures are at their limit, since there scores differ by more than 100."""
    for log_scale, same in ((2.3, True), (4.6, False)):
        theirs = library(CLASSIFIERS, "v2", (64, 64))
        for name, parameter in theirs.named_parameters():
            if name.endswith("logit_scale"):
                parameter.fill_(log_scale)
        ours = ours_of(theirs, "v2", (64, 64))
        pixels = torch.randn(2, 3, 64, 64)
        assert (gap(ours(pixels), logits(theirs, pixels)) < 10 * CLOSE) == same


@torch.no_grad()
def test_v2_of_transformers_cannot_run_with_its_absolute_embedding():
    theirs = library(CLASSIFIERS, "v2", (64, 64), use_absolute_embeddings=True)
    pixels = torch.randn(1, 3, 64, 64)
    assert theirs.swinv2.embeddings.position_embeddings.shape[1] == 16 * 16 + 1
    with pytest.raises(RuntimeError, match=r"257"):
        theirs(pixels)
    with_positions = library(CLASSIFIERS, "v1", (64, 64), use_absolute_embeddings=True)
    assert with_positions.swin.embeddings.position_embeddings.shape[1] == 16 * 16
    assert twin(spec_of("v2", (64, 64), absolute_grid=(16, 16)))(pixels).isfinite().all()


def test_norms_of_new_v2_blocks_are_one_in_transformers():
    config = library(CLASSIFIERS, "v2", (64, 64)).config
    theirs = CLASSIFIERS["v2"](config).swinv2.encoder.layers[0].blocks[0]
    ours = build(spec_of("v2", (64, 64))).stages[0].blocks[0]
    for norm, other in ((ours.norm1, theirs.layernorm_before), (ours.norm2, theirs.layernorm_after)):
        assert norm.weight.eq(0).all()
        assert other.weight.eq(1).all()


@torch.no_grad()
def test_v1_of_transformers_drops_the_path_of_the_attention_alone():
    """In a block that drops nearly always, its MLP is still there."""
    theirs = library(CLASSIFIERS, "v1", (64, 64), drop_path_rate=0.999).train()
    ours = stirred(build(spec_of("v1", (64, 64), drop_path=0.999))).train()
    block = theirs.swin.encoder.layers[2].blocks[1]
    x = torch.randn(1, 4, 4, 64)
    kept = block(x.flatten(1, 2), (4, 4))[0].unflatten(1, (4, 4))
    assert gap(kept, x + block.mlp(block.layernorm_after(x))) < CLOSE
    assert gap(kept, x) > 0.1
    assert torch.equal(ours.stages[2].blocks[1](x), x)
