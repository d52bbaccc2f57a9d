"""What the jobs of all tasks save: a model, and what it has come to."""

import json
import math
import shutil
from dataclasses import replace

import pytest

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError, UsageError
from swinkit.recipes.catalogue import find
from swinkit.recipes.simmim import any_pretraining
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.model import Classifier
from swinkit.training.job import job_of

from ..data.pictures import numbered
from ..tasks.made_up.run import RECIPE as UNKNOWN

RECIPES = {"classification": find("cifar10-swin-pico"), "simmim": any_pretraining("swin-pico")}
SCORES = {"classification": {"top1": 0.5, "val_loss": 1.25}, "simmim": {"explained": 0.25, "l1": 0.5}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return numbered(numbered(tmp_path_factory.mktemp("data"), 4), 3, "val")


@pytest.mark.parametrize("task", RECIPES)
def test_beside_the_model_stands_what_it_has_come_to_and_how_that_was_measured(task, data, tmp_path):
    job_of(RECIPES[task], data).save(tmp_path / "best", SCORES[task])
    written = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert SCORES[task].items() <= written.items()
    again = swinkit.evaluate(swinkit.load(tmp_path / "best"), data, split="val").to_json()
    for name in ("swinkit", "task", "data", "protocol", "pictures"):
        assert written[name] == again[name], name


def test_a_score_that_is_no_number_is_a_word(data, tmp_path):
    job = job_of(replace(RECIPES["classification"], drop_path=0.0), data)
    job.save(tmp_path / "best", {"top1": 0.0, "val_loss": math.nan})
    assert json.loads((tmp_path / "best" / "metrics.json").read_text())["val_loss"] == "nan"


def test_a_model_that_was_measured_gives_way_to_one_that_was_not(data, tmp_path):
    job_of(RECIPES["classification"], data).save(tmp_path / "best", SCORES["classification"])
    swinkit.save(swinkit.load(tmp_path / "best"), tmp_path / "best")
    assert not (tmp_path / "best" / "metrics.json").exists()


def test_a_run_that_goes_on_no_longer_needs_what_it_began_with(data, tmp_path, capsys):
    """Its checkpoint has all weights; how borders are met is known from the latest model."""
    given = swinkit.backbone("swin-pico", border="pad")
    swinkit.save(
        Classifier(given, ("a", "b"), Preprocess.to_crop(crop=(32, 32), resize=32)), tmp_path / "given"
    )
    short = replace(
        RECIPES["classification"],
        init=str(tmp_path / "given"),
        schedule=Schedule(epochs=2, warmup_epochs=0),
        run=Run(batch_size=2),
    )
    once = replace(short, run=replace(short.run, hours=1e-9))  # one step
    swinkit.train(once, data, tmp_path / "run")
    shutil.rmtree(tmp_path / "given")
    model = swinkit.train(short, data, tmp_path / "run", allow_changes=True)
    assert model.backbone.spec.border == "pad"
    assert capsys.readouterr().err == ""
    with pytest.raises(DataError, match="given: no such file or folder"):
        swinkit.train(short, data, tmp_path / "another")
    with pytest.raises(UsageError, match="holds a run that differs: `init was "):
        swinkit.train(replace(short, init=None), data, tmp_path / "run")


def test_a_recipe_of_a_task_without_a_row_is_refused(data, tmp_path):
    with pytest.raises(UsageError, match=r"^no task 'made-up' \(known: classification, .*simmim.*\); "):
        swinkit.train(UNKNOWN, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
