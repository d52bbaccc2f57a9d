"""`results.png` of a run, and what is said before and while it trains."""

import json
import re
import shlex

import numpy as np
from PIL import Image

from swinkit.cli.arguments import split_option
from swinkit.runs import plots
from swinkit.runs.folder import RunFolder
from swinkit.runs.plots import number, place_of, points_of, results_of
from swinkit.tasks.observed import Observed
from swinkit.viz.curves import ACCENT, OTHER, PANEL

from ..training.jobs import job, recipe
from ..training.test_loop import events, trained


def test_a_run_has_its_curves_after_every_epoch(tmp_path):
    seen = []

    def reporting(said):
        path = tmp_path / "results.png"
        seen.append(path.stat().st_mtime_ns if path.exists() else 0)

    trained(tmp_path, recipe(), reporting=reporting)
    assert len(set(seen)) == 3  # none, that of the first epoch, that of the second
    with Image.open(tmp_path / "results.png") as picture:
        assert picture.size == (1860, 530)  # loss, learning rate, top1: of two classes no top5
    assert not list(tmp_path.glob("*.partial"))


def test_numbers_of_the_log_become_points():
    lines = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": "nan"}, {"epoch": 3}]
    points = points_of(lines, "loss")
    assert points[0] == (1.0, 2.0)
    assert [value == value for _, value in points] == [True, False, False]
    assert number("inf") == float("inf")
    assert place_of({"epoch": 3, "step": 5, "steps": 10}) == 2.5


def test_the_held_out_loss_is_drawn_beside_that_of_training_and_is_no_score():
    lines = [
        {"event": "epoch", "epoch": i, "loss": 2 / i, "lr": 1.0, "top1": 0.5, "seconds": 1} for i in (1, 2, 3)
    ]
    without = results_of(lines, "a run")
    lines[1]["val_loss"], lines[2]["val_loss"] = (
        2.0,
        3.0,
    )  # since its second epoch, as of a run that an older version began
    assert results_of(lines, "a run").size == without.size
    held_out, training = count(results_of(lines, "a run"), OTHER), count(results_of(lines, "a run"), ACCENT)
    assert held_out > 1.5 * count(without, OTHER)
    assert training > 0.5 * count(without, ACCENT)


def test_the_heading_counts_epochs_not_evaluations(monkeypatch):
    lines = [
        {"event": "epoch", "epoch": i, "loss": 1.0, "lr": 1.0, "top1": i / 10, "seconds": 1}
        for i in (2, 4, 6)
    ]
    drawn = {}
    monkeypatch.setattr(plots, "draw_curves", lambda _panels, **words: drawn.update(words))
    results_of(lines, "a run")
    assert drawn["subtitle"].startswith("6 epochs, ")
    assert drawn["subtitle"].endswith("best top1 0.6000 after epoch 6")


def count(picture, colour):
    """Pixels of that colour in the panel of the loss."""
    panel = np.asarray(picture)[:, : PANEL[0]].astype(int)
    return int((np.abs(panel - colour) < 40).all(-1).sum())


def test_the_log_tells_the_held_out_loss_and_every_line_of_an_epoch_has_as_many_digits(tmp_path):
    said = []
    made = job(recipe())
    trained(tmp_path, recipe(), made, reporting=said.append)
    logged = next(event for event in reversed(events(tmp_path)) if event["event"] == "epoch")
    observed = Observed.sum(
        made.task.observe(batch).at(2 * i)
        for i, batch in enumerate(made.validation_loader(2).batches(range(5)))
    )
    assert logged["val_loss"] != logged["loss"]
    assert list(made.task.scores(observed)) == ["top1", "val_loss"]
    assert "val_loss" in (tmp_path / "metrics.csv").read_text().splitlines()[0].split(",")
    lines = [each for each in said if isinstance(each, str) and each.startswith("epoch ")]
    assert all(
        re.fullmatch(r"epoch . of 2  loss \d+\.\d{4}  top1 \d\.\d{4}  val_loss \d+\.\d{4}", line)
        for line in lines
    )


def test_a_log_without_an_epoch_still_makes_a_picture():
    assert results_of([], "nothing yet").size[0] > 1000


def test_the_start_tells_what_will_be_computed_on_what(tmp_path):
    said = []
    trained(tmp_path, recipe(1, micro_batch=2), reporting=said.append)
    lines = [each.split(maxsplit=1) for each in said if isinstance(each, str)]
    told = dict(lines[1:5])
    assert told["configuration"] == str(tmp_path / "config.json")
    assert told["batch"] == "4 = 2 at a time x 2 in turn"
    assert told["computes"].startswith("fp32 on ")
    assert told["parameters"].endswith(", all trained")
    assert events(tmp_path)[0] == {"event": "began", "updates": 0}


def test_the_end_of_a_run_that_goes_on_is_the_command_for_it(tmp_path):
    run = tmp_path / "my run"
    trained(run, recipe(1))
    command = next(line for line in (run / "RESUME.txt").read_text().splitlines() if line.startswith("    "))
    words = shlex.split(command)
    assert words[:2] == ["swinkit", "train"]
    assert split_option("resume", "RUN", words[2:]) == (str(run), [])


def test_a_run_that_goes_on_says_where_and_that_nothing_changed(tmp_path, monkeypatch):
    said = []
    stop_after(tmp_path, steps=9)
    trained(tmp_path, recipe(), reporting=said.append)
    (line,) = (each for each in said if isinstance(each, str) and each.startswith("resuming"))
    where, state = line.split("; ")
    assert where == "resuming at epoch 2 of 2, step 2 of 6, data position 8 of 24"
    assert state == "configuration unchanged, data unchanged"
    resumed = next(event for event in events(tmp_path) if event["event"] == "resumed")
    assert (resumed["epoch"], resumed["step"], resumed["steps"]) == (2, 2, 6)


def test_a_run_that_goes_on_otherwise_says_what_changed(tmp_path):
    said = []
    stop_after(tmp_path, steps=3)
    trained(tmp_path, recipe(hours=5.0), allow_changes=True, reporting=said.append)
    (line,) = (each for each in said if isinstance(each, str) and each.startswith("resuming"))
    assert "changed: `run.hours was null, now 5.0`" in line


class Stopped(Exception):
    """As if the machine had lost its power."""


def stop_after(path, *, steps):
    """Return a run that ends in the middle; checkpoints lie two steps apart."""
    count = iter(range(1, 100))

    def reporting(said):
        if not isinstance(said, str) and next(count) == steps:
            raise Stopped

    try:
        trained(path, recipe(), reporting=reporting)
    except Stopped:
        assert json.loads((path / "config.json").read_text())
    else:
        raise AssertionError("it was not stopped")


def test_the_curves_of_a_run_that_went_on_begin_where_it_began(tmp_path):
    stop_after(tmp_path, steps=9)
    made = job(recipe())
    trained(tmp_path, recipe(), made)
    epochs = [event for event in RunFolder(tmp_path).events() if event["event"] == "epoch"]
    assert [point[0] for point in points_of(epochs, "top1")] == [1, 2]
