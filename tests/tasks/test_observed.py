"""Observations of batches add up to the same in any order and for any number of processes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from swinkit.errors import DataError
from swinkit.runs.progress import Length, Progress
from swinkit.settings.schedule import Schedule
from swinkit.tasks.observed import Observed
from swinkit.training.stopping import refuse_divergence
from tests.training.jobs import recipe
from tests.training.states import assert_same

LENGTH = Length(Schedule(epochs=9), 1, 1)
BATCHES = [
    Observed(
        counts={"confusion": torch.randint(0, 2**40, (3, 3))},
        records={
            0: {"boxes": torch.rand(i, 4), "rle": b"\x00\x01", "name": f"sample {i}"},
            1: [i / 3, float("inf"), i],
        },
    ).at(2 * i)
    for i in range(5)
]


@given(st.permutations(BATCHES), st.integers(0, 5))
def test_any_order_and_any_split_add_up_to_the_same(batches: list[Observed], split: int):
    ours = Observed.sum(batches[:split]) + Observed.sum(batches[split:])
    theirs = Observed.sum(BATCHES)
    assert list(ours.records) == list(range(10))
    assert torch.equal(ours.counts["confusion"], theirs.counts["confusion"])
    assert_same(ours.records, theirs.records)


def test_what_is_sent_arrives_to_the_bit():
    sent = Observed.sum(BATCHES)
    found = Observed.decode(sent.encode())
    assert list(found.records) == list(sent.records)
    assert_same([found.counts, found.records], [sent.counts, sent.records])
    assert Observed.decode(Observed().encode()) == Observed()


def test_counts_must_be_integers_and_samples_are_observed_once():
    with pytest.raises(TypeError, match=r"counts\['loss'\] must be integers, got torch.float32"):
        Observed(counts={"loss": torch.zeros(2)})
    with pytest.raises(ValueError, match="observed once"):
        BATCHES[0] + BATCHES[0]


@pytest.mark.parametrize(
    ("records", "diverged"),
    [
        ({0: [float("nan"), 1.0], 1: [float("inf"), 1]}, True),
        ({0: [float("nan"), 1.0], 1: [0.5, 1]}, False),
        ({0: {"boxes": torch.zeros(0, 4)}}, False),
        ({0: {"boxes": torch.full((1, 4), float("nan")), "labels": torch.zeros(1).long()}}, True),
    ],
)
def test_learning_has_diverged_if_no_record_is_finite(records, diverged):
    if diverged:
        with pytest.raises(DataError, match="no finite answer"):
            refuse_divergence(Progress(), LENGTH, Observed(records=records), 0.5, recipe())
    else:
        refuse_divergence(Progress(), LENGTH, Observed(records=records), 0.5, recipe())


def test_a_score_of_counts_alone_that_is_not_finite_is_divergence():
    counted = Observed(counts={"confusion": torch.zeros(2, 2).long()})
    refuse_divergence(Progress(), LENGTH, counted, 0.0, recipe())
    with pytest.raises(DataError, match="learning has diverged"):
        refuse_divergence(Progress(), LENGTH, counted, float("nan"), recipe())


def test_boxes_and_masks_of_torchvision_are_sent_as_plain_tensors():
    boxes = tv_tensors.BoundingBoxes(torch.rand(2, 4), format="XYXY", canvas_size=(9, 9))
    alone = Observed(records={0: {"boxes": boxes, "masks": [tv_tensors.Mask(torch.ones(1, 9, 9))]}}).at(3)
    sent = Observed.decode(alone.encode())
    assert type(alone.records[3]["boxes"]) is type(sent.records[3]["boxes"]) is torch.Tensor
    assert torch.equal(sent.records[3]["boxes"], boxes.as_subclass(torch.Tensor))


def test_what_another_process_could_not_read_is_refused_in_a_single_one_too():
    with pytest.raises(TypeError, match=r"plain values, got float64; convert it, as by float\(\)"):
        Observed(records={0: np.float64(0.5)}).at(0)
