"""Pictures and arrays of other channels than RGB: pre-trained on, trained on, evaluated and predicted.

Commands that a run prints are run as they stand there.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import swinkit
from swinkit.cli.main import main
from swinkit.errors import DataError, UsageError
from swinkit.tasks.simmim.model import SimMIM

pytestmark = pytest.mark.slow

SHORT = ["run.batch_size=4", "schedule.epochs=1", "schedule.warmup_epochs=0"]
RECIPES = ("finetune-swin-pico", "cifar10-swinv2-pico")
COMMAND = re.compile("`(swinkit [^`]+)`")


def arrays(root: Path, channels: int, ending: str) -> Path:
    """Write eight pictures to train on and four to watch, of two classes in turn, in floats or in grey."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for i in range(count):
            place = root / split / ("cat", "dog")[i % 2] / f"{i}{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            pixels = draws.random((32, 32, channels), np.float32) + i % 2
            if ending == ".npy":
                np.save(place, pixels)
            else:
                Image.fromarray((100 * pixels[..., 0]).astype(np.uint8)).save(place)
    return root


def commands_in(text: str, **names: object) -> list[list[str]]:
    """Return the commands that a text advises, with values for the words in capitals."""
    found = []
    for command in COMMAND.findall(text):
        for name, value in names.items():
            command = re.sub(rf"\b{name}\b", str(value), command)
        found.append(shlex.split(command)[1:])
    return found


@pytest.mark.parametrize(
    ("recipe", "channels", "ending"),
    [*((recipe, channels, ".npy") for recipe in RECIPES for channels in (1, 4)), (RECIPES[0], 1, ".png")],
)
def test_every_command_that_a_run_on_other_channels_prints_works(recipe, channels, ending, tmp_path, capsys):
    data, size = arrays(tmp_path / "set", channels, ending), ["data.size=[32,32]", "data.resize=40"]
    numbers = [f"data.mean=[{','.join(['0.5'] * channels)}]", f"data.std=[{','.join(['0.3'] * channels)}]"]
    begun = ["pretrain", "swin-pico", f"data={data}", f"out={tmp_path / 'pre'}", "masking.patch=8"]
    assert main([*begun, *size, *numbers, *SHORT]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    (trained,) = commands_in(told, RECIPE=recipe, DATA=data, RUN=tmp_path / "run")
    assert main([*trained, *SHORT]) == 0
    told = capsys.readouterr().out
    picture = next((data / "val" / "cat").iterdir())
    (predicted,) = commands_in(told.splitlines()[-1], PICTURE=picture)
    assert main([*predicted, "--save", str(tmp_path / "answers")]) == 0
    best = tmp_path / "run" / "best"
    assert main(["evaluate", str(best), f"data={data}", "split=val", "--save", str(tmp_path / "m")]) == 0
    assert main(["evaluate", str(tmp_path / "pre" / "best"), f"data={data}", "split=val"]) == 0
    model = swinkit.load(best)
    assert model.backbone.spec.in_channels == channels
    assert model.preprocess.mean == (0.5,) * channels


def test_the_command_that_a_run_on_clips_prints_works(tmp_path, capsys):
    for split in ("train", "val"):
        (tmp_path / "set" / split).mkdir(parents=True)
        for i in range(4):
            np.save(tmp_path / "set" / split / f"{i}.npy", np.full((4, 32, 32, 1), i / 4, np.float32))
    numbers = [
        "data.size=[4,32,32]",
        "data.resize=32",
        "data.mean=[0.4]",
        "data.std=[0.3]",
        "masking.patch=16",
    ]
    variant = ["pretrain", "video-swin-t", f"data={tmp_path / 'set'}", f"out={tmp_path / 'run'}"]
    assert main([*variant, *numbers, *SHORT]) == 0
    (measured,) = commands_in(capsys.readouterr().out.splitlines()[-1], DATA=tmp_path / "set")
    assert main(measured) == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_weights_are_adapted_to_channels_as_timm_does(channels):
    from timm.models._manipulate import adapt_input_conv

    said: list[str] = []
    before = swinkit.load()
    model = swinkit.load(channels=channels, reporting=said.append)
    wanted = adapt_input_conv(channels, before.backbone.embed.proj.weight.detach())
    torch.testing.assert_close(model.backbone.embed.proj.weight.detach(), wanted)
    repeated = f"the filters of 3 repeated in turn, times 3/{channels}, for {channels}"
    how = {1: "the filters of 3 summed, for 1", 3: "3, as the weights have"}.get(channels, repeated)
    assert said == [f"channels: {how}"]
    grey, mean = torch.rand(1, 1, 32, 32), before.preprocess.mean
    turns = tuple(mean[i % 3] for i in range(channels))
    assert model.preprocess.mean == ((sum(mean) / 3,) if channels == 1 else turns)
    if channels == 1:  # of a picture whose channels are equal once normalised
        torch.testing.assert_close(model(grey), before(grey.expand(1, 3, -1, -1)), rtol=0, atol=1e-4)


def test_an_adapted_model_is_saved_and_predicts(tmp_path):
    swinkit.save(swinkit.load(channels=1, reporting=lambda _: None), tmp_path / "grey")
    model = swinkit.load(tmp_path / "grey")
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(tmp_path / "grey.png")
    colours = Image.fromarray(np.full((40, 50, 3), 90, np.uint8))
    answers = [model.predict(tmp_path / "grey.png"), model.predict(np.full((40, 50, 1), 90, np.uint8))]
    assert answers[0].scores == answers[1].scores
    assert answers[0].plot().mode == "RGB"
    with pytest.raises(DataError, match="3 are stored, 1 expected"):
        model.predict(colours)


def test_commands_take_channels(tmp_path, capsys):
    out, picture = tmp_path / "four.safetensors", tmp_path / "grey.png"
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(picture)
    assert main(["predict", str(picture), "--channels", "1"]) == 0
    assert main(["convert", "swin-pico", str(out), "--to", "timm", "--channels", "4"]) == 0
    assert "repeated in turn, times 3/4, for 4" in capsys.readouterr().err
    assert swinkit.load(out, variant="swin-pico", reporting=lambda _: None).backbone.spec.in_channels == 4
    assert main(["predict", str(picture), "--channels", "0"]) == 2
    assert "channels is 0; it must be 1 or more" in capsys.readouterr().err


def test_a_masked_model_says_how_its_backbone_takes_other_channels(tmp_path):
    swinkit.save(SimMIM(swinkit.backbone("swin-pico")), tmp_path / "pre")
    with pytest.raises(UsageError, match="rebuilds its 3 channels; begin a classifier by head='new'"):
        swinkit.load(tmp_path / "pre", channels=1)
    model = swinkit.load(tmp_path / "pre", channels=1, labels=["a"], head="new", reporting=lambda _: None)
    assert model.backbone.spec.in_channels == 1


def test_arrays_beside_pictures_are_refused(tmp_path, capsys):
    data = arrays(tmp_path / "set", 1, ".npy")
    arrays(tmp_path / "set", 1, ".png")
    numbers = ["data.mean=[0.5]", "data.std=[0.3]"]
    assert main(["train", RECIPES[0], f"data={data}", f"out={tmp_path / 'run'}", *numbers, *SHORT]) == 3
    assert "8 of the 16 samples of train are arrays (.npy), the others pictures" in capsys.readouterr().err


def test_colours_cannot_be_changed_where_there_are_none(tmp_path, capsys):
    data = arrays(tmp_path / "set", 1, ".npy")
    numbers = ["data.mean=[0.5]", "data.std=[0.3]", "augmentation.operations=2"]
    assert main(["train", RECIPES[0], f"data={data}", f"out={tmp_path / 'run'}", *numbers, *SHORT]) == 2
    assert "augmentation.operations is 2; it must be 0" in capsys.readouterr().err
