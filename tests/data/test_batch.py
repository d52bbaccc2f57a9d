"""A batch goes to where it is needed as one."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from swinkit.data.batch import Batch
from swinkit.tasks.classification.data import Batch as Labelled
from swinkit.tasks.simmim.data import Batch as Masked


@dataclass(frozen=True)
class Named(Batch):
    """Two tensors, and what is none."""

    pixels: Tensor
    names: list[str]
    targets: Tensor


@pytest.fixture
def batch():
    return Named(torch.ones(2, 3), ["a", "b"], torch.arange(2))


def test_its_tensors_move_and_all_else_stays(batch):
    moved = batch.to(torch.device("meta"))
    assert (moved.pixels.device.type, moved.targets.device.type) == ("meta", "meta")
    assert moved.names is batch.names
    assert batch.pixels.device.type == "cpu"


def test_where_it_is_already_nothing_is_copied(batch):
    assert batch.to(torch.device("cpu")).pixels is batch.pixels


def test_all_its_tensors_are_pinned(batch, monkeypatch):
    """As torch's `DataLoader` asks for it where there is an accelerator; here there need not be one."""
    monkeypatch.setattr(Tensor, "pin_memory", lambda value: value + 1)
    pinned = batch.pin_memory()
    assert torch.equal(pinned.pixels, batch.pixels + 1)
    assert torch.equal(pinned.targets, batch.targets + 1)
    assert pinned.names is batch.names


@pytest.mark.parametrize("kind", [Labelled, Masked])
def test_the_batches_of_all_tasks_are_such(kind):
    assert issubclass(kind, Batch)
