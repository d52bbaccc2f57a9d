"""A `~` at the start of a path stands for the home folder, in every command and function."""

import shutil
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.cli.main import main
from swinkit.type_check import expand_home

from ..data.layouts import folders, whole

pytestmark = pytest.mark.slow  # trains


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return a home folder with data and a model; the working folder is another, and stays empty."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    folders(home / "set", whole())
    shutil.copytree(home / "set" / "val", home / "set" / "test")
    swinkit.save(swinkit.load(), home / "pico")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    yield home
    assert not list(elsewhere.iterdir())


def test_functions_expand_it(home):
    model = swinkit.load("~/pico", labels=["cat", "dog"], head="new", reporting=lambda _: None)
    swinkit.save(model, "~/two")
    swinkit.evaluate(model, "~/set", split="val").save("~/measured")
    picture = next((home / "set" / "val" / "cat").iterdir())
    model.predict(f"~/{picture.relative_to(home)}").save("~/answer.png")
    torch.save(model.state_dict(), home / "weights.pth")
    swinkit.convert("~/pico", "~/pico.safetensors", to="microsoft")
    for made in ("two/config.json", "measured/metrics.json", "answer.png", "pico.safetensors"):
        assert (home / made).is_file(), made


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (["predict", "~/set/val/*/*.png", "--model", "~/two", "--save", "~/answers"], "answers"),
        (["evaluate", "~/two", "data=~/set", "split=val", "--save", "~/measured"], "measured/metrics.json"),
        (["data", "check", "~/set", "workers=0", "--html", "~/page.html"], "page.html"),
        (["convert", "~/pico", "~/pico.pth", "--to", "microsoft"], "pico.pth"),
        (
            [
                *("train", "cifar10-swin-pico", "data=~/set", "out=~/run", "init=~/pico", "run.batch_size=4"),
                *("schedule.epochs=1", "schedule.warmup_epochs=0"),
            ],
            "run/best/config.json",
        ),
    ],
)
def test_commands_expand_it(home, command, made):
    model = swinkit.load("~/pico", labels=["cat", "dog"], head="new", reporting=lambda _: None)
    swinkit.save(model, home / "two")
    assert main(command) == 0
    assert (home / made).exists()
    if command[0] == "train":
        assert main(["train", "--resume", "~/run"]) == 0


def test_the_path_of_an_unknown_user_stays_as_it_is():
    assert expand_home("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")
    assert expand_home("a/~/b") == Path("a/~/b")
