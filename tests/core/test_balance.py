"""The two balance losses against their definitions."""

import pytest
import torch
from torch.distributions import Normal

from swinkit.core.moe.balance import gshard, load_importance


def test_load_compares_a_score_with_the_logit_of_the_last_choice():
    """As Tutel does, and as no paper says."""
    torch.manual_seed(0)
    plain = torch.randn(30, 4)
    noisy = plain + 0.25 * torch.randn(30, 4)
    expert = noisy.topk(2).indices
    scores = plain.softmax(1)
    load = Normal(0.0, 0.25).cdf(scores - noisy.gather(1, expert)[:, 1:]).sum(0)
    importance = scores.sum(0)
    expected = sum((x.std() / x.mean()) ** 2 for x in (load, importance)) / 2
    torch.testing.assert_close(load_importance(plain, noisy, expert, 0.25), expected)


def test_gshard_is_one_where_all_is_even_and_as_many_as_experts_where_one_has_all():
    even = 50 * torch.eye(4).repeat(3, 1)
    assert gshard(even, even, even.topk(1).indices, 0.25).item() == pytest.approx(1)
    one = 50 * torch.eye(4)[[0] * 12]
    assert gshard(one, one, one.topk(1).indices, 0.25).item() == pytest.approx(4)


def test_gshard_weighs_noisy_scores_by_first_choices():
    torch.manual_seed(0)
    plain = torch.randn(30, 4)
    noisy = plain + torch.randn(30, 4)
    expert = noisy.topk(2).indices
    shares = torch.bincount(expert[:, 0], minlength=4) / 30
    expected = 4 * (noisy.softmax(1).mean(0) * shares).sum()
    torch.testing.assert_close(gshard(plain, noisy, expert, 1.0), expected)
