"""A third task, made up: its folder and its row are all that it takes to train, resume, evaluate and answer.

It has what detection will have: padded images of different sizes, none to three boxes with labels as targets
that move with the image, boxes as records, a module with buffers, a length in iterations, an order by shape,
and a micro-batch that is found. Its inputs may be arrays in files, as those of a task of clips will be.
"""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import swinkit
from swinkit.cli.main import main
from swinkit.recipes.catalogue import RECIPES, Entry
from swinkit.runs.folder import RunFolder
from swinkit.settings.recipe import from_json
from swinkit.tasks.registry import TASKS, recipe_in

from .made_up.data import find_boxes, write_data
from .made_up.model import BoxFinder
from .made_up.run import RECIPE, boxes
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
    torch.nn.init.zeros_(
        model.head.weight
    )  # the same answer for every picture: one box of each label, one none
    model.head.bias.data = torch.tensor([0.0, -1, 2, 1, 9, 0, 0, 0, 0, 1, 2, 0, 9, 0, 1, 1, 2, 2, 0, 0, 9])
    shares = torch.tensor([[0.0, -1, 2, 1], [0, 0, 1, 2]]).sigmoid()
    for result in model.predict(sorted((data / "val").glob("*.png")), batch_size=2):
        height, width = result.size
        assert result.labels == ("light", "red")
        assert torch.allclose(
            torch.tensor(result.boxes), shares * torch.tensor([width, height] * 2), atol=1e-4
        )
        assert result.to_json()["boxes"] == list(map(list, result.boxes))
    assert model.predict(data / "val" / "00.png", boxes=1).labels == ("light",)


def test_what_is_evaluated_is_written(data, trained, tmp_path):
    found = swinkit.evaluate(swinkit.load(trained / "best"), data, split="val")
    for _ in range(2):  # an earlier evaluation is replaced
        found.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["pictures"] == 5


def test_a_micro_batch_is_found_and_kept_and_pixels_are_those_of_prepared_samples(data, trained):
    assert RunFolder(trained).found("micro_batch") == 4
    model, samples = swinkit.load(trained / "best"), find_boxes(data, "train")
    pixels = BoxType().pixels(RECIPE, model, samples)
    fitted = [model.preprocess.fit_sample(sample)[0].image for sample in samples]
    assert [pixels(index) for index in range(16)] == [image[0].numel() for image in fitted]


def test_its_commands_work(data, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "boxes", Entry(boxes))
    words = ["train", "boxes", f"data={data}", f"out={tmp_path / 'run'}", "flip=0", "run.micro_batch=4"]
    assert main([*words, "schedule.iterations=1", "schedule.warmup_iterations=0"]) == 0
    model = tmp_path / "run" / "best"
    assert f"saved {model}; look at {model}" in capsys.readouterr().out
    assert (
        main(["evaluate", str(model), f"data={data}", "--split", "val", "--save", str(tmp_path / "out")]) == 0
    )
    assert "5 pictures of val\nnear " in capsys.readouterr().out
    assert (
        main(["evaluate", str(model), f"data={data}", "--split", "val", "--save", str(tmp_path / "out")]) == 0
    )
    capsys.readouterr()
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "a.npy", np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "arrays" / "b.npy").write_bytes(b"nothing")
    picture = str(data / "val" / "00.png")
    words = ["predict", picture, str(tmp_path / "arrays"), "--model", str(model), "--boxes", "1", "--json"]
    assert main(words) == 3
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row["image"] for row in rows] == [{"width": 36, "height": 44}, {"width": 60, "height": 40}]
    assert all(len(row["boxes"]) == len(row["labels"]) <= 1 for row in rows)
    assert "b.npy: " in printed.err
    assert main(["predict", picture, "--model", str(model), "--top", "2"]) == 2
    refused = capsys.readouterr().err
    assert refused.startswith("error: --top is for models of classification")
    assert refused.endswith(f", and {model} is for made-up; leave it out\n")
    assert main(["predict", picture, "--model", str(model), "--boxes", "0"]) == 2
    assert capsys.readouterr().err == "error: --boxes is 0; it must be 1 or more\n"
