"""A new model has its published initial values, wherever it was built."""

import math

import pytest
import torch
from torch import nn

from swinkit.core.absolute_position import AbsolutePosition
from swinkit.core.attention import ScaledCosine
from swinkit.core.block import PostNormBlock
from swinkit.core.init import initialise
from swinkit.core.mixing import WindowMixing
from swinkit.core.position import LearnedBias
from swinkit.models.build import build

from .small import pixels, spec

FAMILIES = ["v1", "v2", "v2-cr", "mlp", "moe", "video"]
POST_NORM = ("v2", "v2-cr")


def new(family: str, **changes: object) -> nn.Module:
    """Wide enough for its statistics to be told."""
    return build(spec(family, embed_dim=48, **changes))


def on_meta(family: str) -> nn.Module:
    """Built without memory, then materialised with rubbish and initialised."""
    with torch.device("meta"):
        model = build(spec(family, embed_dim=48))
    assert all(p.is_meta for p in model.parameters())
    model = model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, torch.nan)
    initialise(model)
    return model


@pytest.mark.parametrize("make", [new, on_meta])
@pytest.mark.parametrize("family", FAMILIES)
def test_values_are_the_published_ones(family, make):
    model = make(family)
    for module in model.modules():
        if isinstance(module, nn.Linear) and family != "v2-cr":
            std = 0.005 if family == "moe" else 0.02
            assert module.weight.std().item() == pytest.approx(std, rel=0.15)
            assert module.weight.abs().max() < 10 * std
            if module.bias is not None:
                assert module.bias.abs().max() == 0
        elif isinstance(module, WindowMixing):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert module.bias.abs().max() == 0
        elif isinstance(module, LearnedBias):
            assert module.table.std().item() == pytest.approx(0.02, rel=0.2)
        elif isinstance(module, ScaledCosine):
            assert module.log_scale.flatten().tolist() == pytest.approx(
                [math.log(10)] * module.log_scale.numel()
            )
    for name, parameter in model.named_parameters():
        if name.endswith(("q_bias", "v_bias")):
            assert parameter.abs().max() == 0


@pytest.mark.parametrize("make", [new, on_meta])
@pytest.mark.parametrize("family", FAMILIES)
def test_norms_start_at_one_but_those_of_v2_blocks_at_zero(family, make):
    model = make(family)
    in_blocks = {
        id(norm) for b in model.modules() if isinstance(b, PostNormBlock) for norm in (b.norm1, b.norm2)
    }
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm)]
    assert norms
    for norm in norms:
        assert (norm.weight == (0 if id(norm) in in_blocks else 1)).all()
        assert (norm.bias == 0).all()
    assert bool(in_blocks) == (family in POST_NORM)


def test_linear_layers_of_a_v2_cr_keep_the_default_of_torch():
    """timm starts them so: uniform within 1 / sqrt(fan in), biases too."""
    layer = new("v2-cr").stages[0].blocks[0].channel_mixer.fc1
    for parameter in (layer.weight, layer.bias):
        assert 0.9 * 48**-0.5 < parameter.abs().max() <= 48**-0.5


@pytest.mark.parametrize("family", POST_NORM)
def test_a_new_post_norm_block_is_the_identity(family):
    block = new(family).stages[0].blocks[0]
    x = torch.randn(2, 8, 8, 48)
    assert torch.equal(block(x), x)


def test_absolute_embeddings_start_small():
    position = new("v1", absolute_grid=(16, 16)).position
    assert isinstance(position, AbsolutePosition)
    assert position.embedding.std().item() == pytest.approx(0.02, rel=0.1)


def test_patch_convolutions_keep_the_default_of_torch():
    """Uniform within 1 / sqrt(fan in), not N(0, 0.02)."""
    convolution = new("v1").embed.proj
    bound = (3 * 4 * 4) ** -0.5
    assert 0.95 * bound < convolution.weight.abs().max() <= bound
    assert convolution.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_from_the_meta_device_answers_as_one_built_in_memory(family):
    model, twin = on_meta(family).eval(), new(family).eval()
    twin.load_state_dict(model.state_dict())
    x = pixels(family)
    for a, b in zip(model(x), twin(x), strict=True):
        assert a.isfinite().all()
        assert torch.equal(a, b)
