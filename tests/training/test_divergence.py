"""A training whose steps come to nothing is no success, and its skipped steps are told."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swinkit.cli.main import main
from swinkit.errors import DataError
from swinkit.runs.folder import RunFolder
from swinkit.runs.progress import Length, Progress
from swinkit.settings.recipe import Recipe
from swinkit.tasks.classification.model import Classifier
from swinkit.training.loop import train
from swinkit.training.stopping import refuse_end, remedy
from tests.data.pictures import of_two_greys

from .jobs import job, recipe

pytestmark = pytest.mark.slow


def skipping(monkeypatch: pytest.MonkeyPatch, chosen: Recipe, path: Path, numbers: set[int]) -> list[str]:
    """Train with losses of NaN in the steps of these numbers, counted from 1; return the lines reported."""
    losses, step, lines = Classifier.losses, 0, []

    def poisoned(self: Classifier, batch: Any) -> Any:
        nonlocal step
        step += 1
        found = losses(self, batch)
        return {**found, "poison": found["cross_entropy"] * math.nan} if step in numbers else found

    monkeypatch.setattr(Classifier, "losses", poisoned)
    train(
        job(chosen),
        chosen,
        RunFolder(path),
        reporting=lambda said: lines.append(said) if isinstance(said, str) else None,
    )
    return lines


def test_skipped_steps_are_told_on_the_console(tmp_path, monkeypatch):
    lines = skipping(monkeypatch, recipe(epochs=2), tmp_path, {2, 3, 12})  # of six in an epoch
    told = [line for line in lines if line.startswith("epoch")]
    first = "skipped, because loss or gradient is not finite; log.jsonl lists its samples"
    assert told[0] == f"epoch 1, step 2: {first}"
    assert told[1].startswith("epoch 1 of 2  loss ")
    assert told[1].endswith("  2 steps skipped")
    assert told[2] == f"epoch 2, step 6: {first}"
    assert told[3].endswith("  1 step skipped")
    assert lines[-1] == "all epochs are done"


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        (set(range(3, 10)), "7 of 12 steps had no finite loss and gradient, and were skipped: learning"),
        (set(range(7, 13)), "6 of 12 steps had no finite loss and gradient, and were skipped, at last all: "),
    ],
)
def test_most_steps_skipped_or_the_whole_last_epoch_is_no_success(skipped, said, tmp_path, monkeypatch):
    with pytest.raises(DataError) as error:
        skipping(monkeypatch, recipe(epochs=2), tmp_path, skipped)
    assert str(error.value).startswith(said)
    assert str(error.value).endswith("such as optimiser.lr=0.001")
    assert not [event for event in RunFolder(tmp_path).events() if event["event"] == "ended"]
    again = job(recipe(epochs=2))  # and by the same command once more
    with pytest.raises(DataError) as error:
        train(again, again.recipe, RunFolder(tmp_path))
    assert str(error.value).startswith(said)


def test_the_command_ends_with_code_3_and_says_what_to_try(tmp_path, monkeypatch, capsys):
    data, out = of_two_greys(tmp_path / "data"), tmp_path / "run"
    monkeypatch.setattr(Classifier, "losses", lambda self, batch: {"x": self(batch.pixels).sum() * math.nan})
    words = ["schedule.epochs=2", "schedule.warmup_epochs=0", "run.batch_size=4", "optimiser.clip_norm=null"]
    assert main(["train", "cifar10-swin-pico", f"data={data}", f"out={out}", *words]) == 3
    lines, error = capsys.readouterr()
    assert "all epochs are done" not in lines
    assert error.startswith("error: 4 of 4 steps had no finite loss and gradient, and were skipped, at last")
    assert error.strip().endswith("such as optimiser.lr=0.0003 or optimiser.clip_norm=5")


@pytest.mark.parametrize(
    ("progress", "refused"),
    [
        (Progress(updates=12, skipped=6, ended="done"), False),
        (Progress(updates=12, skipped=7, ended="done"), True),
        (Progress(updates=12, skipped=7), False),  # it goes on
        (Progress(updates=12, skipped=6, skipped_in_row=6, ended="done"), True),
        (Progress(updates=12, skipped=5, skipped_in_row=5, ended="done"), False),
    ],
)
def test_what_counts_as_diverged_at_the_end(progress, refused):
    length = Length.of(recipe(), 6)
    if refused:
        with pytest.raises(DataError, match="learning has diverged"):
            refuse_end(progress, length, recipe())
    else:
        refuse_end(progress, length, recipe())


def test_one_skipped_step_of_an_epoch_of_one_step_is_no_divergence():
    """A scaled loss skips one now and then."""
    refuse_end(Progress(updates=9, skipped=1, skipped_in_row=1, ended="x"), Length.of(recipe(), 1), recipe())


def test_the_remedy_names_values_that_the_recipe_takes():
    chosen = recipe(precision="fp16")
    chosen = replace(chosen, optimiser=replace(chosen.optimiser, clip_norm=None))
    tried = [word.split("=") for word in remedy(chosen).split() if "=" in word]
    assert tried == [["optimiser.lr", "0.001"], ["optimiser.clip_norm", "5"], ["run.precision", "bf16"]]
