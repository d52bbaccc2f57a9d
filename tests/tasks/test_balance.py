"""A Swin-MoE is trained to choose its experts evenly."""

import pytest
import torch

from swinkit.core.moe.experts import Experts
from swinkit.data.preprocess import Preprocess
from swinkit.tasks.classification.data import Batch
from swinkit.tasks.classification.model import Classifier

from ..models.small import small

LABELS = ("cat", "dog", "owl")


def classifier(family: str, **changes: object) -> Classifier:
    return Classifier(small(family, **changes), LABELS, Preprocess.to_crop(crop=(32, 32), resize=32))


def batch() -> Batch:
    return Batch(torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0]))


def test_the_loss_holds_the_balance_of_every_block_times_its_weight():
    task = classifier("moe", balance_weight=0.25).train()
    losses = task.losses(batch())
    found = [part.balance for part in task.modules() if isinstance(part, Experts)]
    assert len(found) == 3
    assert losses["balance"].item() == pytest.approx(0.25 * sum(loss.item() for loss in found))
    losses["balance"].backward()
    routers = [p for name, p in task.named_parameters() if "router" in name]
    assert all(parameter.grad.abs().sum() > 0 for parameter in routers)


@pytest.mark.parametrize(("family", "changes"), [("v1", {}), ("moe", {"moe_blocks": ((), ())})])
def test_without_experts_there_is_nothing_to_balance(family, changes):
    assert list(classifier(family, **changes).train().losses(batch())) == ["cross_entropy"]
