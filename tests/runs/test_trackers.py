"""Trackers: that their series are whole, go on after a stop, and stand in nobody's way."""

import json
import logging

import pytest

from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.runs import logger as diary
from swinkit.runs.folder import RunFolder
from swinkit.runs.progress import Progress
from swinkit.runs.trackers import Trackers, flat, options_to_begin, require_trackers
from swinkit.settings.run import Run

from ..training.jobs import recipe
from ..training.states import set_back
from ..training.test_loop import events, trained
from .test_results import Stopped


@pytest.fixture
def often(monkeypatch):
    """Every second step is logged."""
    monkeypatch.setattr(diary, "LOGGED_EVERY", 2)


def scalars(path, name):
    """(step, value) of a TensorBoard series, read by its own reader."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(path / "tensorboard" / "swinkit")).Reload()
    return [(event.step, event.value) for event in found.Scalars(name)]


def test_tensorboard_has_the_numbers_of_the_log(tmp_path, often):
    trained(tmp_path, recipe(trackers=("tensorboard",)))
    log = events(tmp_path)
    steps = [(event["updates"], pytest.approx(event["loss"])) for event in log if event["event"] == "step"]
    assert scalars(tmp_path, "step/loss") == steps
    assert len(steps) == 6
    assert [step for step, _ in scalars(tmp_path, "step/lr")] == [2, 4, 6, 8, 10, 12]
    epochs = [(event["updates"], pytest.approx(event["top1"])) for event in log if event["event"] == "epoch"]
    assert scalars(tmp_path, "epoch/top1") == epochs


def test_a_series_that_was_stopped_goes_on_without_a_gap_or_a_repetition(tmp_path, often):
    chosen = recipe(trackers=("tensorboard",), save_every=3)

    def reporting(said):
        if not isinstance(said, str) and (said.epoch, said.step) == (2, 2):  # after logging it, before saving
            raise Stopped

    with pytest.raises(Stopped):
        trained(tmp_path / "run", chosen, reporting=reporting)
    trained(tmp_path / "run", chosen)
    trained(tmp_path / "whole", chosen)
    assert scalars(tmp_path / "run", "step/loss") == scalars(tmp_path / "whole", "step/loss")
    assert scalars(tmp_path / "run", "epoch/loss") == scalars(tmp_path / "whole", "epoch/loss")


@pytest.mark.filterwarnings("ignore")  # its own
def test_wandb_offline_keeps_one_id_for_the_whole_run(tmp_path, often, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    chosen = recipe(1, trackers=("wandb",))
    trained(tmp_path, chosen)
    series = json.loads((tmp_path / "trackers.json").read_text())
    assert list((tmp_path / "wandb").glob(f"offline-run-*-{series['wandb']['id']}"))


@pytest.mark.filterwarnings("ignore")  # its own
def test_mlflow_in_a_local_file_has_the_numbers_and_the_recipe(tmp_path, often, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    trained(tmp_path / "run", recipe(1, trackers=("mlflow",)))
    series = json.loads((tmp_path / "run" / "trackers.json").read_text())
    found = mlflow.get_run(series["mlflow"]["run_id"])
    assert found.data.metrics["epoch/top1"] == events(tmp_path / "run")[-2]["top1"]
    assert found.data.params["run.batch_size"] == "4"


@pytest.mark.filterwarnings("ignore")  # its own
def test_trackio_in_a_local_folder_has_the_numbers_and_goes_on_with_them(tmp_path, often, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read once, when it is imported
    pytest.importorskip("trackio", reason="trackio is not installed")
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    trained(tmp_path / "run", recipe(1, trackers=("trackio",)))
    set_back(tmp_path / "run", ended="")
    trained(tmp_path / "run", recipe(2, trackers=("trackio",)), allow_changes=True)
    series = json.loads((tmp_path / "run" / "trackers.json").read_text())
    told = storage.get_logs("swinkit", series["trackio"]["name"])
    log = [event["top1"] for event in events(tmp_path / "run") if event["event"] == "epoch"]
    assert [row["epoch/top1"] for row in told if "epoch/top1" in row] == log
    assert len(log) == 2


def test_without_trackers_nothing_is_written_or_imported(tmp_path):
    trained(tmp_path, recipe(1))
    assert not (tmp_path / "trackers.json").exists()
    assert not (tmp_path / "tensorboard").exists()
    assert Run().trackers == ()


def test_one_that_is_missing_is_told_with_the_command_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr("swinkit.runs.trackers.installed", lambda package: None)
    with pytest.raises(EnvironmentProblem, match=r"wandb, which is missing: pip install 'swinkit\[wandb\]'"):
        require_trackers(("wandb",))
    with pytest.raises(EnvironmentProblem, match="missing"):
        trained(tmp_path / "run", recipe(trackers=("trackio",)))
    assert not (tmp_path / "run").exists()


def test_an_unknown_one_is_refused():
    told = r"run\.trackers is \('tensorbord',\); it must be a tuple, each one of tensorboard,"
    with pytest.raises(UsageError, match=told):
        Run(trackers=("tensorbord",))


class Fragile:
    """A tracker that stops working, in the place of Accelerate's."""

    name = "mlflow"

    def log(self, values, step):
        raise OSError("no route to host\nat length")

    def finish(self):
        raise OSError("still none")


class Host:
    """What an Accelerator is to trackers."""

    def __init__(self, *trackers, error=None):
        self.trackers, self.error = list(trackers), error

    def init_trackers(self, project_name, config=None, init_kwargs=None):
        if self.error is not None:
            raise self.error


def test_one_that_fails_is_left_out_and_training_goes_on(tmp_path, caplog):
    host = Host(Fragile())
    trackers = Trackers(host, ("mlflow",), {}, RunFolder(tmp_path))
    with caplog.at_level(logging.WARNING):
        trackers.log("step", 1, {"loss": 1.0})
        trackers.log("step", 2, {"loss": 1.0})
    assert caplog.messages == ["mlflow failed, and is left out from here on: no route to host"]
    host.trackers.append(Fragile())
    trackers.close()
    assert caplog.messages[1:] == ["mlflow may have lost its last numbers: still none"]
    assert not host.trackers


def test_one_that_cannot_begin_is_one_line(tmp_path):
    host = Host(error=RuntimeError("no API key\nand a long story"))
    trackers = Trackers(host, ("wandb",), {}, RunFolder(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"run\.trackers=\['wandb'\] cannot begin: no API key$"):
        trackers.open(Progress())


def test_each_is_told_how_to_go_on(tmp_path):
    at = Progress(updates=7)
    assert options_to_begin("tensorboard", tmp_path, None, at) == {}
    assert options_to_begin("tensorboard", tmp_path, {}, at) == {"purge_step": 8}
    assert options_to_begin("mlflow", tmp_path, {"run_id": "a"}, at) == {"run_id": "a"}
    assert options_to_begin("wandb", tmp_path, {"id": "a"}, at)["id"] == "a"
    assert options_to_begin("trackio", tmp_path, {"name": "a"}, at) == {"name": "a", "resume": "allow"}
    first, second = (options_to_begin("trackio", tmp_path, None, at)["name"] for _ in range(2))
    assert first != second  # two runs of one folder's name are two series


def test_settings_are_flat_and_plain():
    assert flat({"a": {"b": 1.5, "c": None}, "d": (1, 2), "e": "x"}) == {
        "a.b": 1.5,
        "a.c": "null",
        "d": "[1, 2]",
        "e": "x",
    }
