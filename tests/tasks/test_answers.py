"""Answers picture by picture: what they say, what they come to, and as records that processes hand on."""

import pytest
import torch

from swinkit.tasks.classification.predictions import Answers

LOGITS, LABELS = torch.randn(30, 7, generator=torch.Generator().manual_seed(3)), torch.arange(30) % 7


def test_each_picture_has_its_answer_and_the_probabilities_of_it_and_of_the_right_class():
    found, probabilities = Answers.of(LOGITS, LABELS), LOGITS.double().softmax(1)
    assert torch.equal(found.first, LOGITS.argmax(1))
    torch.testing.assert_close(found.scores, probabilities.amax(1), rtol=1e-5, atol=0)
    torch.testing.assert_close(found.likely, probabilities[range(30), LABELS], rtol=1e-5, atol=0)
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(LOGITS, LABELS).item(), rel=1e-6)


def test_they_come_to_the_shares_that_the_logits_give():
    counts, order = Answers.of(LOGITS, LABELS).accuracy(7), LOGITS.argsort(dim=1, descending=True)
    hits = (order == LABELS[:, None]).double()
    assert counts.top1 == pytest.approx(hits[:, 0].mean().item())
    assert counts.top5 == pytest.approx(hits[:, :5].sum(1).mean().item())


def test_records_hold_all_of_them():
    found = Answers.of(LOGITS, LABELS)
    again = Answers.of_records(found.records)
    for name in ("labels", "first", "among5", "scores", "losses", "right"):
        assert torch.equal(getattr(found, name), getattr(again, name)), name
        assert getattr(found, name).dtype == getattr(again, name).dtype, name


def test_the_worst_are_those_of_the_highest_loss_and_ties_stay_in_order():
    logits = torch.tensor([[4.0, 0], [0, 4], [9, 0], [0, 4]])
    found = Answers.of(logits, torch.tensor([0, 0, 1, 0]))
    assert found.worst(3) == [2, 1, 3]
    assert len(found.worst(9)) == 4


def test_half_precision_is_measured_in_full():
    found = Answers.of(LOGITS.half(), LABELS)
    assert found.losses.dtype == torch.float64
    assert found.loss == pytest.approx(Answers.of(LOGITS.half().float(), LABELS).loss)
