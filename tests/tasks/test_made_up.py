"""A third task, made up: its folder and its row are all that it takes to train, resume, evaluate and answer.

It has what detection will have: images of different sizes in lists, boxes as targets that move with the
image, a module with buffers, a length in iterations, an order by shape.
"""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torchvision import tv_tensors

import swinkit
from swinkit.runs.folder import RunFolder
from swinkit.settings.recipe import from_json
from swinkit.tasks.registry import TASKS, recipe_in

from .made_up.data import Batch, find_boxes, write_data
from .made_up.model import BoxFinder
from .made_up.run import RECIPE
from .made_up.task_type import BoxType

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def row(monkeypatch):
    monkeypatch.setitem(TASKS, "made-up", BoxType)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("boxes"))


def run(*words, **environment):
    command = [sys.executable, "-m", "tests.tasks.made_up.run", *map(str, words)]
    return subprocess.Popen(command, env=os.environ | environment)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "whole"
    assert run("train", data, out).wait() == 0
    return out


def weights(out):
    return load_file(out / "last" / "model.safetensors")


@pytest.mark.parametrize("step", [3, 6])
def test_a_killed_training_ends_with_the_same_weights_and_buffers(data, trained, tmp_path, step):
    assert run("train", data, tmp_path / "run", step).wait() == -signal.SIGKILL
    assert run("train", data, tmp_path / "run").wait() == 0
    ours, theirs = weights(tmp_path / "run"), weights(trained)
    assert ours.keys() == theirs.keys()
    assert "norm.running_mean" in ours
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    assert ours["norm.running_mean"].abs().max() > 0


def test_it_is_evaluated_every_so_many_iterations(trained):
    events = [event for event in RunFolder(trained).events() if event["event"] == "evaluation"]
    assert [event["updates"] for event in events] == [4, 8, 9]
    assert {"near", "error"} <= events[-1].keys()
    assert (trained / "boxes.txt").read_text() == "5 of 5"


def test_its_recipe_is_recorded(trained):
    recorded = json.loads((trained / "config.json").read_text())["recipe"]
    assert recipe_in(recorded) == from_json(type(RECIPE), recorded) == RECIPE


def test_two_processes_give_the_scores_of_one(data, trained):
    found = swinkit.evaluate(swinkit.load(trained / "best"), data, split="val", batch_size=2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    both = [run("observe", data, trained, RANK=str(rank), **shared) for rank in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    for rank in range(2):
        assert json.loads((trained / f"scores-{rank}.json").read_text()) == found.scores


def test_it_is_saved_and_loaded_with_its_buffers(trained, tmp_path):
    model = swinkit.load(trained / "best")
    assert isinstance(model, BoxFinder)
    swinkit.save(model, tmp_path / "again")
    for name, tensor in swinkit.load(tmp_path / "again").state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_boxes_are_in_pixels_of_the_original(data, trained):
    model = swinkit.load(trained / "best")
    paths = sorted((data / "val").glob("*.png"))
    results = model.predict(paths, batch_size=2)
    with torch.inference_mode():
        samples = find_boxes(data, "val")
        batch = BoxType().evaluation_batches(model)([samples[i] for i in range(len(paths))], 0)
        fractions = model(batch.images)
    for result, part in zip(results, fractions, strict=True):
        height, width = result.size
        sides = torch.tensor([width, height, width, height])
        assert torch.allclose(torch.tensor(result.box), part * sides, atol=1e-4)
        assert result.to_json()["box"] == list(result.box)


def test_what_is_evaluated_is_written(data, trained, tmp_path):
    found = swinkit.evaluate(swinkit.load(trained / "best"), data, split="val")
    for _ in range(2):  # an earlier evaluation is replaced
        found.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["pictures"] == 5


def test_batches_of_lists_move_and_count():
    boxes = tv_tensors.BoundingBoxes(torch.zeros(1, 4), format="XYXY", canvas_size=(4, 6))
    batch = Batch([torch.zeros(3, 4, 6), torch.zeros(3, 5, 5), torch.zeros(3, 6, 4)], [boxes] * 3)
    moved = batch.to(torch.device("meta"))
    assert len(moved) == 3
    assert all(tensor.is_meta for tensor in (*moved.images, *moved.boxes))


def test_a_micro_batch_has_pictures_of_one_shape(data):
    samples = find_boxes(data, "train")
    sampler = BoxType().sampler(RECIPE, None, samples)
    order = sampler.order(0, 3, 2).tolist()
    assert len(order) == sampler.length(2)
    for first, second in zip(order[::2], order[1::2], strict=True):
        assert sampler.wide[first] == sampler.wide[second]
