"""Dispatch: who finds a slot at which expert, for any scores.

Shapes: N tokens, C channels, E experts, K choices, S slots.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swinkit.core.moe.dispatch import DispatchPolicy, dispatch

policies = st.builds(
    DispatchPolicy,
    top_k=st.integers(1, 3),
    capacity_factor=st.sampled_from([-1.0, -0.5, 0.0, 0.3, 1.0, 1.25, 2.0]),
    multiple=st.sampled_from([1, 2, 4]),
    normalised=st.booleans(),
    prioritised=st.booleans(),
)


def scores_of(n: int, experts: int, seed: int, coarse: bool) -> torch.Tensor:
    """(N, E) probabilities; coarse ones are full of ties."""
    logits = 2 * torch.randn(n, experts, generator=torch.Generator().manual_seed(seed))
    return (logits.round() if coarse else logits).softmax(1)


@settings(max_examples=200, deadline=None)
@given(policies, st.integers(1, 60), st.integers(3, 8), st.integers(0, 10**6), st.booleans())
def test_slots_are_never_shared_nor_more_than_there_are(policy, n, experts, seed, coarse):
    scores = scores_of(n, experts, seed, coarse)
    plan = dispatch(scores, policy)
    placed = plan.turn < plan.capacity
    rows = plan.rows.view(plan.turn.shape)
    assert len(rows[placed].unique()) == int(placed.sum())
    assert torch.equal(
        rows[~placed].unique(), torch.tensor([experts * plan.capacity])[: int((~placed).any())]
    )
    for expert in range(experts):  # its visitors stand in line without gaps
        assert sorted(plan.turn[plan.expert == expert].tolist()) == list(
            range(int((plan.expert == expert).sum()))
        )
    assert plan.capacity % policy.multiple == 0
    assert all(len(set(row)) == policy.top_k for row in plan.expert.tolist())
    if policy.capacity_factor == 0:
        assert placed.all()


@settings(max_examples=100, deadline=None)
@given(policies, st.integers(1, 60), st.integers(3, 8), st.integers(0, 10**6))
def test_what_is_gathered_comes_back_weighted(policy, n, experts, seed):
    """With experts that do nothing, a token gets itself, times the weights of those who had a slot."""
    plan = dispatch(scores_of(n, experts, seed, coarse=False), policy)
    tokens = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    gathered = plan.gather(tokens)
    assert gathered.shape == (experts, plan.capacity, 4)
    weight = plan.weight.masked_fill(plan.turn >= plan.capacity, 0).sum(1, keepdim=True)
    torch.testing.assert_close(plan.scatter(gathered), tokens * weight)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(3, 8), st.integers(0, 10**6), st.integers(1, 3))
def test_when_an_expert_is_full_the_surest_tokens_are_in(n, experts, seed, top_k):
    scores = scores_of(n, experts, seed, coarse=False)
    policy = DispatchPolicy(top_k=top_k, capacity_factor=0.5, prioritised=True)
    plan, sure = dispatch(scores, policy), scores.amax(1)
    for k in range(top_k):
        for expert in range(experts):
            here = plan.expert[:, k] == expert
            line = sure[here][plan.turn[here, k].argsort()]
            assert torch.equal(line, line.sort(descending=True).values)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.integers(3, 8), st.integers(0, 10**6), st.booleans())
def test_second_choices_stand_behind_all_first_ones_and_early_tokens_before_late(n, experts, seed, coarse):
    plan = dispatch(
        scores_of(n, experts, seed, coarse), DispatchPolicy(top_k=2, capacity_factor=1.0, prioritised=False)
    )
    for expert in range(experts):
        tokens, choices = (plan.expert == expert).nonzero(as_tuple=True)
        line = plan.turn[tokens, choices].argsort()
        assert list(zip(choices[line].tolist(), tokens[line].tolist(), strict=True)) == sorted(
            zip(choices.tolist(), tokens.tolist(), strict=True)
        )


@pytest.mark.parametrize(
    ("n", "experts", "top_k", "factor", "multiple", "expected"),
    [
        (128, 4, 1, 1.25, 1, 40),  # 1.25 * 32
        (130, 4, 1, 1.25, 1, 41),  # 1.25 * 33 = 41.25: rounded down
        (130, 4, 2, 1.25, 1, 82),  # before it is multiplied by the choices
        (130, 4, 1, 1.25, 4, 44),
        (3, 8, 1, 0.5, 1, 0),
    ],
)
def test_capacity_is_the_even_share_times_the_factor(n, experts, top_k, factor, multiple, expected):
    policy = DispatchPolicy(top_k=top_k, capacity_factor=factor, multiple=multiple)
    assert dispatch(torch.rand(n, experts).softmax(1), policy).capacity == expected


def test_a_factor_of_zero_makes_as_many_slots_as_are_needed_and_one_below_at_most_so_many():
    scores = torch.eye(4)[[0, 0, 0, 0, 0, 1, 2, 2]].softmax(1)  # five tokens want the first expert
    for factor, expected in ((0.0, 5), (-1.0, 2), (-2.0, 4), (-4.0, 5)):
        assert dispatch(scores, DispatchPolicy(top_k=1, capacity_factor=factor)).capacity == expected


def test_weights_sum_to_one_if_normalised_and_are_the_scores_if_not():
    scores = torch.rand(20, 5).softmax(1)
    best = scores.topk(2).values
    assert torch.equal(dispatch(scores, DispatchPolicy(top_k=2, capacity_factor=0)).weight, best)
    normalised = dispatch(scores, DispatchPolicy(top_k=2, capacity_factor=0, normalised=True)).weight
    torch.testing.assert_close(normalised, best / best.sum(1, keepdim=True))
    alone = dispatch(scores, DispatchPolicy(top_k=1, capacity_factor=0, normalised=True)).weight
    assert torch.equal(alone, best[:, :1])  # else the router would learn nothing
