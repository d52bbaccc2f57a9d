"""What the machine can do is measured, and never sinks."""

import pytest
import torch

from benchmarks.peers import roofline
from benchmarks.peers.machine import machine, processor, versions

from .measurements import record


def test_products_and_copies_are_measured_on_all_threads_and_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "SIDES", {"cpu": (64, 128)})
    monkeypatch.setattr(roofline, "COPIED", {"cpu": 2**16})
    monkeypatch.setattr(roofline, "SECONDS", 0.01)
    found = roofline.measure_roofline("cpu")
    assert set(found) == {"products", "copies", "products_of_one", "copies_of_one"}
    assert min(found.values()) > 1e7
    assert max(found.values()) < 1e14
    assert torch.get_num_threads() == 1


def test_the_fastest_of_many_calls_counts() -> None:
    calls = []
    assert roofline.fastest(lambda: calls.append(sum(range(1000))), "cpu") < 0.1
    assert len(calls) > 10


def test_a_ceiling_that_is_measured_again_never_sinks() -> None:
    made = record()
    made.raise_roofline({"products": 250e9, "copies": 20e9})
    assert made.roofline == {
        "products": 250e9,
        "copies": 30e9,
        "products_of_one": 100e9,
        "copies_of_one": 15e9,
    }


def test_the_machine_is_told_by_name() -> None:
    name, sets = processor()
    assert name
    assert isinstance(sets, list)
    assert machine()["memory"] > 2**28
    assert {"python", "torch", "timm"} <= set(versions())
