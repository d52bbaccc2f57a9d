"""A batch goes to where it is needed as one."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors

from swinkit.data.batch import Batch, tensors_in
from swinkit.data.sample import Sample
from swinkit.tasks.classification.data import Batch as Labelled
from swinkit.tasks.simmim.data import Batch as Masked


@dataclass(frozen=True)
class Named(Batch):
    """Two tensors, and what is none."""

    pixels: Tensor
    names: list[str]
    targets: Tensor


@dataclass(frozen=True)
class Detections(Batch):
    """Images of their own sizes, and what is on each, as a detector is trained on."""

    images: list[Tensor]
    targets: list[dict[str, Any]]
    sample: Sample


def detections():
    """Two images with a box, a mask and a name each."""
    boxes = tv_tensors.BoundingBoxes(torch.ones(1, 4), format="XYXY", canvas_size=(5, 6))  # pyright: ignore[reportCallIssue]
    target = {"boxes": boxes, "masks": (tv_tensors.Mask(torch.ones(1, 5, 6)),), "name": "a"}
    images = [torch.ones(3, 5, 6), torch.ones(3, 7, 8)]
    return Detections(images, [target, dict(target)], Sample("a", images[0], target))


@pytest.fixture
def batch():
    return Named(torch.ones(2, 3), ["a", "b"], torch.arange(2))


def test_its_tensors_move_and_all_else_stays(batch):
    moved = batch.to(torch.device("meta"))
    assert (moved.pixels.device.type, moved.targets.device.type) == ("meta", "meta")
    assert moved.names == batch.names
    assert batch.pixels.device.type == "cpu"


def test_where_it_is_already_nothing_is_copied(batch):
    assert batch.to(torch.device("cpu")).pixels is batch.pixels


def test_all_its_tensors_are_pinned(batch, monkeypatch):
    """As torch's `DataLoader` asks for it where there is an accelerator; here there need not be one."""
    monkeypatch.setattr(Tensor, "pin_memory", lambda value: value + 1)
    pinned = batch.pin_memory()
    assert torch.equal(pinned.pixels, batch.pixels + 1)
    assert torch.equal(pinned.targets, batch.targets + 1)
    assert pinned.names == batch.names


def test_tensors_in_lists_dicts_and_samples_move_too_and_keep_their_class():
    """Once a list of boxes stayed on the CPU, silently."""
    moved = detections().to(torch.device("meta"))
    found = list(tensors_in(moved))
    assert len(found) == 9
    assert {tensor.device.type for tensor in found} == {"meta"}
    for target in (*moved.targets, moved.sample.target):
        assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
        assert target["boxes"].canvas_size == (5, 6)
        assert isinstance(target["masks"][0], tv_tensors.Mask)
        assert target["name"] == "a"


def test_pinned_boxes_and_masks_keep_their_class(monkeypatch):
    monkeypatch.setattr(Tensor, "pin_memory", lambda value: value.as_subclass(Tensor) + 1)
    pinned = detections().pin_memory()
    assert isinstance(pinned.targets[1]["boxes"], tv_tensors.BoundingBoxes)
    assert pinned.targets[1]["boxes"].canvas_size == (5, 6)
    assert pinned.targets[1]["boxes"].eq(2).all()
    assert isinstance(pinned.sample.target["masks"][0], tv_tensors.Mask)
    assert type(pinned.images[0]) is Tensor


def test_its_length_is_the_number_of_samples(batch):
    assert len(batch) == len(detections()) == 2


@pytest.mark.parametrize("kind", [Labelled, Masked])
def test_the_batches_of_all_tasks_are_such(kind):
    assert issubclass(kind, Batch)
