"""Swin-MoE: its blocks, its initialisation, and what its numbers may be."""

import pytest
import torch
from torch import nn

from swinkit.core.init import initialise
from swinkit.core.moe.experts import Experts
from swinkit.core.moe.routers import CosineRouter, LinearRouter
from swinkit.models.build import build

from .small import pixels, small, spec


def experts_in(model: nn.Module) -> list[Experts]:
    return [module for module in model.modules() if isinstance(module, Experts)]


def test_experts_stand_where_the_spec_says():
    model = small("moe", moe_blocks=((), (0,)))
    mixers = [[isinstance(block.channel_mixer, Experts) for block in stage.blocks] for stage in model.stages]
    assert mixers == [[False, False], [True, False]]


@pytest.mark.parametrize(("name", "kind"), [("linear", LinearRouter), ("cosine", CosineRouter)])
def test_the_router_is_the_one_named(name, kind):
    assert all(type(experts.router) is kind for experts in experts_in(small("moe", router=name)))


@torch.no_grad()
def test_a_single_expert_with_room_for_all_is_the_dense_model():
    dense = small("moe", moe_blocks=((), ()))
    alone = small("moe", moe_blocks=((1,), (0, 1)), num_experts=1, balance="gshard")
    theirs = dense.state_dict()
    state = {name: theirs.get(name) for name in alone.state_dict()}
    for name, tensor in alone.state_dict().items():
        mixer, _, part = name.partition("experts.")
        if part in ("fc1", "fc2"):
            weight = theirs[f"{mixer}{part}.weight"]
            state[name] = (weight if part == "fc1" else weight.T)[None]
        elif part:
            state[name] = theirs[f"{mixer}{part.removesuffix('_bias')}.bias"][None]
        elif "router" in name:
            state[name] = tensor
    alone.load_state_dict(state)
    x = pixels("moe")
    for one, other in zip(alone(x), dense(x), strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
def test_without_room_for_all_an_answer_depends_on_the_rest_of_the_batch():
    x = pixels("moe")
    for factor, same in ((0.5, False), (0.0, True)):
        model = small("moe", capacity_factor=factor)
        assert torch.allclose(model(x)[-1][:1], model(x[:1])[-1], atol=1e-5) == same


def test_the_bias_is_not_bounded_as_in_v2():
    model = small("moe")
    bias = model.stages[0].blocks[0].token_mixer.bias
    with torch.no_grad():
        bias.mlp[2].weight.mul_(100)
        rows = bias((4, 4))
    assert rows.min() < 0
    assert rows.max() > 16


def test_dense_and_expert_mlps_lose_their_output_bias_together():
    names = small("moe", mlp_output_bias=False).state_dict()
    assert not any(name.endswith(("channel_mixer.fc2.bias", "fc2_bias")) for name in names)
    assert any(name.endswith("fc1_bias") for name in names)


def test_new_experts_and_routers_have_their_published_values():
    """Also where memory held rubbish."""
    with torch.device("meta"):
        model = build(spec("moe", embed_dim=48, router="cosine", num_experts=8))
    model = model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, torch.nan)
    initialise(model)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    for experts in experts_in(model):
        for weight in (experts.experts.fc1, experts.experts.fc2):
            assert weight.std().item() == pytest.approx(0.005, rel=0.1)
        assert not experts.experts.fc1_bias.any()
        assert not experts.experts.fc2_bias.any()
        assert experts.router.keys.std().item() == pytest.approx(0.01, rel=0.1)
        assert experts.router.log_scale.exp().item() == pytest.approx(2)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"moe_blocks": ((1,),)}, "1 entries"),
        ({"moe_blocks": ((2,), ())}, "no different blocks of a stage of 2"),
        ({"moe_blocks": ((1, 1), ())}, "no different blocks"),
        ({"top_k": 4}, "top_k is 4; it must be from 1 to num_experts, 3"),
        ({"top_k": 0}, "top_k is 0"),
        ({"router": "random"}, "router 'random' is unknown"),
        ({"balance": "none"}, "balance 'none' is unknown"),
        ({"capacity_factor": float("nan")}, "capacity_factor is nan"),
        ({"capacity_multiple": 0}, "capacity_multiple is 0"),
        ({"router_dim": 0}, "router_dim is 0"),
        ({"router_noise": -1.0}, "router_noise is -1.0"),
        ({"balance_weight": -1.0}, "balance_weight is -1.0"),
        ({"router_noise": 0.0}, "some router_noise"),
        ({"num_experts": 1}, "num_experts of 2 or more"),
        ({"expert_dropout": 1.0}, "expert_dropout is 1.0"),
        ({"clipped_bias": "leading"}, "a Swin-MoE has no such part"),
    ],
)
def test_numbers_that_go_together_with_nothing_are_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint.replace("(", r"\(")):
        spec("moe", **changes)


def test_one_expert_or_no_noise_are_fine_where_nothing_divides_by_them():
    assert spec("moe", balance="gshard", num_experts=1, router_noise=0.0).num_experts == 1
    assert spec("moe", num_experts=1, moe_blocks=((), ())).moe_blocks == ((), ())
