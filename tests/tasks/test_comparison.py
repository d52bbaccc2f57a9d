"""Two classifiers on the same pictures: the difference, its interval, and how likely chance explains it."""

import numpy as np
import pytest
import torch

from swinkit.tasks.classification.comparison import PairedComparison, bootstrap, sign_test


def answered(generator: np.random.Generator, pictures: int, alone: float, other: float):
    """Two classifiers that are right by themselves on these shares of the pictures, else agree."""
    kind = generator.choice(3, pictures, p=(alone, other, 1 - alone - other))
    first = torch.from_numpy((kind == 0) | (kind == 2))
    return first, torch.from_numpy((kind == 1) | (kind == 2))


def test_pictures_that_one_alone_answers_rightly_are_counted():
    first = torch.tensor([True, True, True, False, False])
    second = torch.tensor([True, False, False, True, False])
    found = PairedComparison.of(first, second)
    assert (found.pictures, found.first_only, found.second_only) == (5, 2, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.to_json()["difference"] == found.difference


def test_the_interval_is_scipys_bootstrap_of_pairs():
    import scipy.stats

    first, second = answered(np.random.default_rng(1), 400, 0.15, 0.08)
    theirs = scipy.stats.bootstrap(
        (first.numpy().astype(float), second.numpy().astype(float)),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert PairedComparison.of(first, second).interval == pytest.approx(tuple(theirs), abs=0.005)


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    """400 data sets of 500 pictures, drawn from classifiers whose difference is known."""
    import scipy.stats

    generator, truth, draws = np.random.default_rng(3), 0.05, 400
    counts = generator.multinomial(500, (0.12, 0.07, 0.81), size=draws)
    ends = [bootstrap(500, int(alone), int(other), seed) for seed, (alone, other, _) in enumerate(counts)]
    covered = sum(low <= truth <= high for low, high in ends)
    assert scipy.stats.binomtest(covered, draws, 0.95).pvalue > 0.001
    assert scipy.stats.binomtest(covered, draws, 0.90).pvalue < 0.001


def test_the_same_seed_gives_the_same_interval_and_another_nearly_the_same():
    one, again, other = (bootstrap(1000, 90, 60, seed) for seed in (0, 0, 1))
    assert one == again
    assert one == pytest.approx(other, abs=0.002)


def test_models_that_answer_alike_do_not_differ():
    found = PairedComparison.of(*[torch.tensor([True, False, True])] * 2)
    assert (found.difference, found.interval, found.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_the_order_only_turns_the_sign():
    first, second = answered(np.random.default_rng(4), 300, 0.2, 0.1)
    there, back = PairedComparison.of(first, second), PairedComparison.of(second, first)
    assert there.difference == -back.difference
    assert there.interval == pytest.approx(tuple(-end for end in reversed(back.interval)), abs=0.005)
    assert there.p_value == back.p_value


@pytest.mark.parametrize(
    ("heads", "tails"), [(0, 0), (1, 0), (3, 11), (11, 3), (40, 40), (812, 530), (0, 2000)]
)
def test_mcnemars_exact_test_is_that_of_a_coin(heads: int, tails: int):
    import scipy.stats

    theirs = scipy.stats.binomtest(heads, heads + tails).pvalue if heads + tails else 1.0
    assert sign_test(heads, tails) == pytest.approx(theirs, rel=1e-6, abs=1e-300)
