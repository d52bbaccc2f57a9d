"""Buffers, such as batch norm's statistics, are averaged, brought home, saved and resumed like weights."""

import json

import pytest
import torch
from torch import nn

from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.training.ema import Average
from swinkit.training.loop import train

from .jobs import job, recipe
from .processes import ended, started_together
from .sharing import normed, train_normed
from .states import assert_same, last_state, read_state


def test_statistics_are_averaged_and_counts_are_copied():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model.register_buffer("derived", torch.zeros(2), persistent=False)
    average = Average(model, 0.9)
    expected = average.weights["1.running_mean"].clone()
    for updates in (1, 2, 300):
        model(torch.randn(8, 3))
        expected.lerp_(model[1].running_mean, 1 - min(0.9, (1 + updates) / (10 + updates)))
        average.update(model, updates)
    assert torch.equal(average.weights["1.running_mean"], expected)
    assert average.weights["1.num_batches_tracked"] == 3
    assert "derived" not in average.weights
    own = {name: value.clone() for name, value in model.state_dict().items()}
    with average.swap_in(model):
        assert torch.equal(model[1].running_mean, expected)
        assert not torch.equal(model[1].running_mean, own["1.running_mean"])
    assert all(torch.equal(value, own[name]) for name, value in model.state_dict().items())


def test_they_are_saved_and_resumed_to_the_bit_with_their_average(tmp_path):
    steps = []

    def stop(said):
        if isinstance(said, Report):
            steps.append(said)
            if len(steps) == 3:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        train(normed(job(recipe())), recipe(), RunFolder(tmp_path / "run"), reporting=stop)
    train(normed(job(recipe())), recipe(), RunFolder(tmp_path / "run"))
    train(normed(job(recipe())), recipe(), RunFolder(tmp_path / "whole"))
    state = last_state(tmp_path / "run")
    assert_same(state, last_state(tmp_path / "whole"))
    name = "head.norm.running_var"
    assert state["model"]["head.norm.num_batches_tracked"] == 12
    assert not torch.equal(state["model"][name], torch.ones_like(state["model"][name]))
    assert not torch.equal(state["model"][name], state["model_ema"][name])


def test_a_step_that_is_not_taken_leaves_them_as_they_were(tmp_path):
    made = normed(job(recipe(), poisoned=7))
    train(made, recipe(), RunFolder(tmp_path))
    state = read_state(tmp_path)
    assert state["progress"]["skipped"] == 2
    assert state["model"]["head.norm.num_batches_tracked"] == 10
    assert all(value.isfinite().all() for value in state["model"].values())


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_two_processes_have_the_same_and_save_them(sharding, tmp_path):
    both = started_together(tmp_path / "run", 2, train_normed, sharding=sharding)
    assert [ended(each) for each in both] == [0, 0]
    ours, theirs = (json.loads((tmp_path / f"run-{rank}.json").read_text()) for rank in range(2))
    assert ours == theirs
    averaged = last_state(tmp_path / "run")["model_ema"]
    for name, value in ours.items():
        assert torch.equal(torch.tensor(value).to(averaged[name].dtype), averaged[name]), name
