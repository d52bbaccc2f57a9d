"""From features to classes, and from several views to one answer."""

import pytest
import torch

from swinkit.heads.classify import ClassificationHead, average_probabilities, average_scores


@pytest.mark.parametrize("grid", [(5,), (4, 3), (2, 4, 3)], ids=["signal", "image", "clip"])
def test_the_head_norms_averages_and_projects_whatever_the_axes(grid):
    head = ClassificationHead(8, 5)
    features = torch.randn(2, *grid, 8)
    pooled = head.norm(features).reshape(2, -1, 8).mean(1)
    torch.testing.assert_close(head.pool(features), pooled)
    torch.testing.assert_close(head(features), head.classifier(pooled))


def test_dropout_acts_in_training_only():
    head = ClassificationHead(64, 5, dropout=0.5)
    features = torch.randn(2, 3, 3, 64)
    assert not torch.equal(head.train()(features), head(features))
    assert torch.equal(head.eval()(features), head(features))


def test_averages_of_views():
    """Two views that disagree: probabilities are averaged after softmax, scores before."""
    logits = torch.tensor([[[2.0, 0.0], [0.0, 4.0]]])
    assert torch.equal(average_scores(logits), torch.tensor([[1.0, 2.0]]))
    expected = (logits[:, 0].softmax(-1) + logits[:, 1].softmax(-1)) / 2
    torch.testing.assert_close(average_probabilities(logits), expected)
    assert average_probabilities(logits).sum() == pytest.approx(1)
