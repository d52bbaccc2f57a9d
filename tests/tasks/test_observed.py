"""What is observed of batches adds up to the same, whoever observed them and in whatever order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.errors import DataError
from swinkit.runs.progress import Length, Progress
from swinkit.settings.schedule import Schedule
from swinkit.tasks.observed import Observed
from swinkit.training.stopping import refuse_divergence
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
        ({}, False),  # counts alone tell nothing
        ({0: [float("nan"), 1.0], 1: [float("inf"), 1]}, True),
        ({0: [float("nan"), 1.0], 1: [0.5, 1]}, False),
        ({0: {"boxes": torch.zeros(0, 4)}}, False),
        ({0: {"boxes": torch.full((1, 4), float("nan")), "labels": torch.zeros(1).long()}}, True),
    ],
)
def test_learning_has_diverged_if_no_record_is_finite(records, diverged):
    if diverged:
        with pytest.raises(DataError, match="no finite answer"):
            refuse_divergence(Progress(), LENGTH, Observed(records=records))
    else:
        refuse_divergence(Progress(), LENGTH, Observed(records=records))
