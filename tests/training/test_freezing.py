"""Frozen weights: which they are, that nothing moves or stores them, and what their parts compute."""

import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

import swinkit
from swinkit.core.block import DropPath
from swinkit.errors import UsageError
from swinkit.recipes.catalogue import find
from swinkit.runs.config_diff import changes_of
from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.settings.recipe import from_json
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.settings import ClassificationRecipe
from swinkit.training.freezing import begin_training, freeze, frozen_parts
from swinkit.training.job import job_of
from swinkit.training.loop import train
from swinkit.training.summary import count_parameters
from tests.data.pictures import of_two_greys
from tests.weights.models import classifier, reconstructor

from .jobs import job, recipe
from .processes import ended, started, started_together
from .states import assert_same, last_state

pytestmark = pytest.mark.processes

CHOICES = [
    {"frozen_stages": 0},
    {"frozen_stages": 1},
    {"trainable": "head"},
    {"trainable": "norms"},
    {"frozen_stages": 1, "trainable": "norms"},
]
NAMES = [" ".join(f"{name}={value}" for name, value in choice.items()) for choice in CHOICES]


def trained_names(task: nn.Module) -> set[str]:
    """Return the names of all that learns."""
    return {name for name, parameter in task.named_parameters() if parameter.requires_grad}


def expected(task: nn.Module, frozen_stages: int | None = None, trainable: str | None = None) -> set[str]:
    """Return the same, found by names."""
    found = set[str]()
    for name, _ in task.named_parameters():
        stage = int(name.split(".")[2]) if name.startswith("backbone.stages.") else -1
        backbone = name.startswith(("backbone.", "head.norm"))
        early = name.startswith("backbone.") and frozen_stages is not None and stage < frozen_stages
        norm = ".norm" in name
        if not early and (not backbone or trainable is None or (trainable == "norms" and norm)):
            found.add(name)
    return found


@pytest.mark.parametrize("choice", CHOICES, ids=NAMES)
@pytest.mark.parametrize("made", [classifier, reconstructor])
def test_what_learns(made, choice):
    task = made()
    freeze(task, recipe(**choice))
    assert trained_names(task) == expected(task, **choice)
    assert 0 < len(trained_names(task)) < len(list(task.parameters()))


def test_without_a_choice_all_learns_and_all_of_it_trains():
    task = classifier()
    freeze(task, recipe())
    assert trained_names(task) == set(dict(task.named_parameters()))
    begin_training(task)
    assert all(part.training for part in task.modules())


def test_more_stages_than_there_are(tmp_path):
    with pytest.raises(UsageError, match="frozen_stages is 9, and swin-t has 2 stages; to train the"):
        job(recipe(frozen_stages=9))
    with pytest.raises(UsageError, match="frozen_stages is -1; it must be null, or 0 or more"):
        recipe(frozen_stages=-1)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("choice", CHOICES, ids=NAMES)
def test_frozen_weights_stay_to_the_bit_and_have_no_state(choice, kind, tmp_path):
    chosen = recipe(kind=kind, **choice)
    made = job(chosen)
    before = {name: value.clone() for name, value in made.task.state_dict().items()}
    train(made, chosen, RunFolder(tmp_path))
    state, learned = last_state(tmp_path), trained_names(made.task)
    for name, value in made.task.state_dict().items():
        if name not in learned:
            assert torch.equal(value, before[name]), name
            assert torch.equal(state["model_ema"][name], before[name]), name
    assert any(not torch.equal(state["model"][name], before[name]) for name in learned)
    assert set(state["optimizer"]["names"]) == learned
    assert len(state["optimizer"]["state"]) == len(learned)


def test_a_frozen_part_computes_as_in_evaluation_and_others_train():
    made = job(recipe(frozen_stages=1))
    begin_training(made.task)
    early, late = made.task.backbone.stages
    assert not any(part.training for part in early.modules())
    assert all(part.training for part in late.modules())
    assert any(isinstance(part, DropPath) for part in early.modules())
    made = job(recipe(trainable="head"))
    begin_training(made.task)
    assert not made.task.backbone.training
    assert made.task.head.classifier.training
    made = job(recipe(trainable="norms"))
    begin_training(made.task)
    blocks = [block for stage in made.task.backbone.stages for block in stage.blocks]
    assert all(block.training for block in blocks)  # their norms learn, and so drop-path goes on


def test_the_statistics_of_a_frozen_batch_norm_stay():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)).requires_grad_(False)
    model[1].requires_grad_(True)
    assert list(frozen_parts(model)) == [model[0]]
    begin_training(model)  # pyright: ignore[reportArgumentType]
    model(torch.randn(4, 2))
    assert int(model[0].num_batches_tracked) == 0


@pytest.mark.parametrize("sharding", ["none", "full"])
@pytest.mark.parametrize("choice", [{"frozen_stages": 1}, {"trainable": "norms"}], ids=["stages", "norms"])
def test_two_processes_learn_what_one_does(choice, sharding, tmp_path):
    assert ended(started(tmp_path / "one", micro_batch=1, **choice)) == 0
    both = started_together(tmp_path / "two", 2, micro_batch=1, sharding=sharding, **choice)
    assert [ended(each) for each in both] == [0, 0]
    one, two = last_state(tmp_path / "one"), last_state(tmp_path / "two")
    assert one["optimizer"]["names"] == two["optimizer"]["names"]
    for kind in ("model", "model_ema"):
        for name, value in one[kind].items():
            torch.testing.assert_close(two[kind][name], value, rtol=1e-5, atol=1e-6, msg=name)


def chosen(**fields: object) -> ClassificationRecipe:
    """Return a recipe of two epochs."""
    schedule, run = Schedule(epochs=2, warmup_epochs=0), Run(batch_size=4, ema=0.9)
    return replace(find("cifar10-swin-pico"), drop_path=0.3, schedule=schedule, run=run, **fields)


def test_it_is_shown_and_resumes_to_the_bit(tmp_path: Path):
    data, fields, lines, steps = of_two_greys(tmp_path / "data"), {"frozen_stages": 2}, [], 0

    def note(said: Report | str) -> None:
        nonlocal steps
        steps += isinstance(said, Report)
        if isinstance(said, str):
            lines.append(said)
        elif steps == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        swinkit.train(chosen(**fields), data, tmp_path / "parts", reporting=note)
    swinkit.train(chosen(**fields), data, tmp_path / "parts")
    swinkit.train(chosen(**fields), data, tmp_path / "whole")
    assert_same(last_state(tmp_path / "whole"), last_state(tmp_path / "parts"))
    (row,) = [line for line in lines if line.startswith("  parameters")]
    assert row.endswith(f" {count_parameters(job_of(chosen(**fields), data).task)}")
    model = swinkit.load(tmp_path / "whole" / "best")
    assert all(parameter.requires_grad for parameter in model.parameters())  # nothing of it is saved


def test_a_run_goes_on_with_other_weights_frozen_where_changes_are_allowed(tmp_path: Path):
    data = of_two_greys(tmp_path / "data")
    swinkit.train(chosen(trainable="head"), data, tmp_path / "run")
    more = replace(chosen(), schedule=Schedule(epochs=3, warmup_epochs=0))
    with pytest.raises(UsageError, match='trainable was "head", now null'):
        swinkit.train(more, data, tmp_path / "run")
    swinkit.train(more, data, tmp_path / "run", allow_changes=True)
    names = set(dict(job_of(more, data).task.named_parameters()))
    assert set(last_state(tmp_path / "run")["optimizer"]["names"]) == names


def test_the_count_is_told_in_millions():
    task = swinkit.load("swin-pico/cifar-10")
    freeze(task, recipe(frozen_stages=0))  # type: ignore[arg-type]
    every = sum(each.numel() for each in task.parameters())
    assert count_parameters(task) == f"{every:,}, frozen 0.0 of {every / 1e6:.1f} M"


def test_runs_of_older_versions_lack_the_fields():
    now = chosen()
    older = {name: value for name, value in asdict(now).items() if name not in ("frozen_stages", "trainable")}
    assert from_json(ClassificationRecipe, older) == now
    assert changes_of({"recipe": older}, {"recipe": asdict(now)}) == []
