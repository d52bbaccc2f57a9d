"""Accuracy from counts, and the loss against labels and mixtures."""

import pytest
import torch
import torch.nn.functional as F

from swinkit.core.spec import Spec
from swinkit.data.preprocess import Preprocess
from swinkit.models.build import build
from swinkit.tasks.classification.losses import cross_entropy
from swinkit.tasks.classification.metrics import Accuracy
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.predictions import Answers

LOGITS = torch.tensor([[9.0, 1, 2, 3, 4, 5, 6], [0, 9, 1, 2, 3, 4, 5], [9, 8, 7, 6, 5, 4, 3]])
LABELS = torch.tensor([0, 0, 5])  # the best answer; the last; the sixth


def counted(logits: torch.Tensor, labels: torch.Tensor) -> Accuracy:
    return Answers.of(logits, labels).accuracy(logits.shape[1])


def test_the_first_and_the_first_five_answers_are_counted():
    counts = counted(LOGITS, LABELS)
    assert (counts.top1, counts.top5, counts.total) == (1 / 3, 1 / 3, 3)
    assert counted(LOGITS, torch.tensor([0, 0, 4])).top5 == 2 / 3


def test_the_confusion_matrix_has_a_row_a_class_and_a_column_an_answer():
    confusion = counted(LOGITS, LABELS).confusion
    assert {tuple(at) for at in confusion.nonzero().tolist()} == {(0, 0), (0, 1), (5, 0)}


def test_recall_is_of_each_class_and_zero_without_pictures():
    assert counted(LOGITS, LABELS).recall == [0.5, 0, 0, 0, 0, 0, 0]


def test_precision_and_f1_are_as_defined():
    labels = torch.arange(60) % 5
    logits = torch.randn(60, 5) + torch.nn.functional.one_hot(labels, 5)
    counts, answers = counted(logits, labels), logits.argmax(1)
    for i in range(5):
        hits = ((answers == i) & (labels == i)).sum().item()
        precision, recall = hits / (answers == i).sum().item(), hits / (labels == i).sum().item()
        assert counts.precision[i] == pytest.approx(precision)
        assert counts.f1[i] == pytest.approx(2 * precision * recall / (precision + recall))
    nothing = counted(torch.tensor([[1.0, 0, 0]]), torch.tensor([1]))
    assert (nothing.precision, nothing.f1) == ([0, 0, 0], [0, 0, 0])


def test_the_most_frequent_mistakes_come_first():
    labels = torch.tensor([3, 3, 3, 3, 0, 0, 2, 1, 1])
    answers = torch.tensor([1, 1, 2, 3, 2, 2, 2, 0, 4])
    counts = counted(torch.nn.functional.one_hot(answers, 5).float(), labels)
    assert counts.mistakes == [(0, 2, 2), (3, 1, 2), (1, 0, 1), (1, 4, 1), (3, 2, 1)]
    assert counts.confused == {0: (2, 2), 1: (0, 1), 3: (1, 2)}
    assert counts.most_confused(3) == [0, 2, 3]
    assert counts.most_confused(9) == [0, 1, 2, 3, 4]
    assert torch.equal(counts.among([1, 3, 4]), counts.confusion[[1, 3, 4]][:, [1, 3, 4]])


def test_fewer_than_five_classes_are_always_among_the_first_five():
    assert counted(torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])).top5 == 1.0


def test_nothing_counted_is_no_division_by_zero():
    nothing = counted(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))
    assert (nothing.top1, nothing.top5) == (0.0, 0.0)


def test_as_many_classes_as_imagenet_22k_has_cost_a_few_megabytes():
    classes = 21_841
    with torch.profiler.profile(profile_memory=True) as seen:
        backbone = build(Spec(patch=(4, 4), embed_dim=8, depths=(1,), num_heads=(1,), window_sizes=((2, 2),)))
        with torch.device("meta"):
            Classifier(backbone, list(map(str, range(classes))), Preprocess.to_crop(crop=(8, 8), resize=8))
        counts = counted(torch.eye(4, classes), torch.tensor([0, 1, 2, 9]))
        assert (counts.top1, counts.top5, counts.total) == (0.75, 0.75, 4)
        assert len(counts.recall) == len(counts.totals) == classes
    allocated = sum(max(0, event.self_cpu_memory_usage) for event in seen.key_averages())
    assert allocated < 8 * 2**20  # the confusion of all with all would take 3.8 GB


def test_labels_and_their_one_hot_mixtures_cost_the_same():
    targets = F.one_hot(LABELS, 7).float()
    by_label, by_mixture = cross_entropy(LOGITS, LABELS, 0.1), cross_entropy(LOGITS, targets, 0.1)
    torch.testing.assert_close(by_label, by_mixture)


def test_a_mixture_costs_its_shares_of_both_labels():
    first, second = F.one_hot(torch.tensor([[0], [3]]), 7).float()[:, 0]
    logits = LOGITS[:1]
    mixed = cross_entropy(logits, (0.3 * first + 0.7 * second)[None], 0.0)
    apart = [cross_entropy(logits, torch.tensor([label]), 0.0) for label in (0, 3)]
    assert mixed.item() == pytest.approx(0.3 * apart[0].item() + 0.7 * apart[1].item())


def test_half_precision_scores_are_compared_in_full():
    assert cross_entropy(LOGITS.bfloat16(), LABELS, 0.0).dtype == torch.float32
