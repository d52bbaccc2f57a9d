"""Experts: all tokens at once against one at a time, gradients, and what must change no answer.

Shapes: N tokens, C channels, E experts.
"""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F

from swinkit.core.moe.balance import BALANCES
from swinkit.core.moe.dispatch import DispatchPolicy
from swinkit.core.moe.experts import ExpertMLPs, Experts
from swinkit.core.moe.routers import CosineRouter, LinearRouter

from ..models.small import stirred

C = 6


def layer(
    num_experts=4, *, router="linear", balance="gshard", noise=1.0, dropout=0.0, output_bias=True, **policy
):
    """Return a stirred layer of `C` channels; by default nobody is dropped."""
    gate = (
        CosineRouter(C, num_experts, noise, 5) if router == "cosine" else LinearRouter(C, num_experts, noise)
    )
    mlps = ExpertMLPs(num_experts, C, 8, dropout=dropout, output_bias=output_bias)
    chosen = DispatchPolicy(**{"top_k": 1, "capacity_factor": 0.0, **policy})
    return stirred(Experts(gate, mlps, chosen, BALANCES[balance])).eval()


def one_by_one(layer: Experts, tokens: torch.Tensor) -> torch.Tensor:
    """(N, C) -> (N, C), served by a person with a list: first all first choices, then all second ones."""
    policy, mlps = layer.policy, layer.experts
    scores = layer.router(tokens)[0].softmax(1)
    experts, n = scores.shape[1], len(tokens)
    slots = policy.top_k * int(policy.capacity_factor * -(-n // experts)) or n * policy.top_k
    slots = -(-slots // policy.multiple) * policy.multiple
    order = sorted(range(n), key=lambda t: -scores[t].max().item() if policy.prioritised else 0)
    taken, answer = [0] * experts, torch.zeros_like(tokens)
    choices = [sorted(range(experts), key=lambda e: -scores[t, e].item())[: policy.top_k] for t in range(n)]
    for k in range(policy.top_k):
        for t in order:
            e = choices[t][k]
            taken[e] += 1
            if taken[e] <= slots:
                hidden = F.gelu(mlps.fc1[e] @ tokens[t] + mlps.fc1_bias[e])
                output = hidden @ mlps.fc2[e] + (0 if mlps.fc2_bias is None else mlps.fc2_bias[e])
                total = sum(scores[t, c] for c in choices[t]) if policy.normalised and policy.top_k > 1 else 1
                answer[t] += scores[t, e] / total * output
    return answer


@torch.no_grad()
@pytest.mark.parametrize("router", ["linear", "cosine"])
@pytest.mark.parametrize("prioritised", [True, False])
@pytest.mark.parametrize(
    ("top_k", "normalised", "output_bias"),
    [(1, False, True), (1, True, False), (2, False, False), (3, True, True)],
)
@pytest.mark.parametrize(("factor", "multiple"), [(0.0, 1), (0.5, 1), (0.5, 4), (1.25, 1)])
def test_all_tokens_at_once_are_as_one_by_one(
    router, prioritised, top_k, normalised, output_bias, factor, multiple
):
    torch.manual_seed(0)
    experts = layer(
        router=router,
        output_bias=output_bias,
        top_k=top_k,
        capacity_factor=factor,
        multiple=multiple,
        prioritised=prioritised,
        normalised=normalised,
    )
    tokens = torch.randn(37, C)
    torch.testing.assert_close(experts(tokens), one_by_one(experts, tokens))


@torch.no_grad()
def test_any_arrangement_of_tokens_is_as_their_list():
    experts, x = layer(capacity_factor=0.5), torch.randn(2, 3, 5, C)
    assert torch.equal(experts(x), experts(x.reshape(-1, C)).view(2, 3, 5, C))


@torch.no_grad()
def test_one_expert_with_room_for_all_is_an_mlp():
    experts, x = layer(1, top_k=1), torch.randn(9, C)
    mlps = experts.experts
    hidden = F.gelu(x @ mlps.fc1[0].T + mlps.fc1_bias[0])
    torch.testing.assert_close(experts(x), hidden @ mlps.fc2[0] + mlps.fc2_bias[0])


@torch.no_grad()
def test_no_token_at_all_and_no_slot_at_all_are_answered():
    assert layer()(torch.zeros(0, C)).shape == (0, C)
    assert not layer(capacity_factor=0.5)(torch.randn(3, C)).any()  # int(0.5 * 1) slots


@pytest.mark.parametrize("router", ["linear", "cosine"])
@pytest.mark.parametrize("balance", sorted(BALANCES))
def test_gradients_reach_router_and_experts(router, balance):
    torch.manual_seed(0)
    experts = layer(router=router, balance=balance, top_k=2, capacity_factor=1.0).train()
    x = torch.randn(64, C, requires_grad=True)
    experts(x).square().sum().backward()
    assert x.grad is not None
    assert all(parameter.grad.abs().sum() > 0 for parameter in experts.parameters())
    experts.zero_grad()
    experts(x)
    experts.balance.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in experts.router.parameters())
    assert all(parameter.grad is None for parameter in experts.experts.parameters())


def test_a_dropped_token_has_no_gradient_and_a_served_one_has():
    torch.manual_seed(0)
    experts, x = layer(capacity_factor=0.5), torch.randn(40, C, requires_grad=True)
    answer = experts(x)
    dropped = (answer == 0).all(1)
    answer.sum().backward()
    assert 0 < dropped.sum() < 40
    assert torch.equal((x.grad == 0).all(1), dropped)


@torch.no_grad()
def test_noise_and_dropout_are_for_training_alone():
    experts, x = layer(noise=4.0, dropout=0.5, capacity_factor=1.0), torch.randn(50, C)
    assert torch.equal(experts(x), experts(x))
    plain, noisy = experts.router(x)
    assert noisy is plain
    experts.train()
    plain, noisy = experts.router(x)
    assert noisy.sub(plain).std().item() == pytest.approx(4.0 / 4, rel=0.2)
    assert not torch.equal(experts(x), experts(x))


@torch.no_grad()
def test_in_training_experts_are_chosen_by_the_noisy_scores():
    experts, x = layer(noise=400.0), torch.randn(50, C)
    plain = experts.router(x)[0].argmax(1)
    assert torch.equal(experts.route(x)[0].expert[:, 0], plain)
    experts.train()
    torch.manual_seed(1)
    _, noisy = experts.router(x)
    torch.manual_seed(1)
    chosen = experts.route(x)[0].expert[:, 0]
    assert torch.equal(chosen, noisy.argmax(1))
    assert not torch.equal(chosen, plain)


@torch.no_grad()
def test_dropout_lies_between_the_layers_of_an_expert():
    """So that at a rate of nearly 1, only the second bias is left."""
    mlps = stirred(ExpertMLPs(2, C, 8, dropout=1 - 1e-9, output_bias=True)).train()
    assert torch.equal(mlps(torch.randn(2, 3, C)), mlps.fc2_bias[:, None].expand(2, 3, C))


def test_the_balance_is_an_answer_and_no_state():
    """A tensor with a history can be neither copied nor saved."""
    experts, x = layer().train(), torch.randn(9, C)
    assert experts.balance is None
    experts(x)
    assert experts.balance.requires_grad
    assert copy.deepcopy(experts).balance is None
    torch.save(experts.state_dict(), io.BytesIO())
    assert not any("balance" in name for name in experts.state_dict())
    with torch.no_grad():
        experts(x)
    assert not experts.balance.requires_grad
    with torch.inference_mode():
        experts(x)


@torch.no_grad()
@pytest.mark.parametrize("router", ["linear", "cosine"])
def test_half_precision_routes_in_single_precision(router):
    torch.manual_seed(0)
    experts, x = layer(router=router), torch.randn(200, C, dtype=torch.bfloat16)
    expected, _ = experts.route(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        plan, balance = experts.route(x)
        answer = experts(x.float())
    assert plan.weight.dtype == balance.dtype == torch.float32
    assert torch.equal(plan.expert, expected.expert)
    assert torch.equal(plan.weight, expected.weight)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, experts(x.float()), atol=0.05, rtol=0.05)
    lowered = experts.bfloat16()
    assert lowered.route(x)[0].weight.dtype == torch.float32
    assert lowered(x).dtype == torch.bfloat16


@torch.no_grad()
@pytest.mark.parametrize("router", ["linear", "cosine"])
def test_autocast_changes_no_route(router):
    experts, x = layer(router=router, capacity_factor=1.0), torch.randn(200, C)
    plan, balance = experts.route(x)
    with torch.autocast("cpu", torch.bfloat16):
        lowered, lowered_balance = experts.route(x)
    assert torch.equal(plan.turn, lowered.turn)
    assert torch.equal(plan.weight, lowered.weight)
    assert torch.equal(balance, lowered_balance)


@torch.no_grad()
def test_of_equally_sure_tokens_the_earlier_is_served():
    experts = layer(capacity_factor=1.0)
    answers = experts(torch.randn(1, C).expand(1000, C))  # all want the same of four
    assert answers[:250].any(1).all()
    assert not answers[250:].any()


def test_the_temperature_of_the_cosine_router_is_at_most_100():
    router, x = stirred(CosineRouter(C, 3, 1.0, 5)).eval(), torch.randn(4, C)
    with torch.no_grad():
        cosine = F.cosine_similarity(router.proj(x)[:, :, None], router.keys[None], dim=1)
        for log_scale, scale in ((math.log(2), 2), (math.log(100), 100), (9.0, 100)):
            router.log_scale.fill_(log_scale)
            torch.testing.assert_close(router(x)[0], scale * cosine)
