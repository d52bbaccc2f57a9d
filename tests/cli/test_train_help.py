"""The help of `swinkit train`: a first screen of what is often set, and a longer one of everything."""

import pytest

from swinkit.cli.fields import FIRST, WORDS, leaves
from swinkit.cli.main import main
from swinkit.recipes.catalogue import RECIPES

MOST = 30  # keys on the first screen


def options(verb, word, capsys):
    """Those that a help page tells of."""
    with pytest.raises(SystemExit) as left:
        main([*verb, word])
    assert left.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.split()[0] for line in lines if line.startswith("  -")]


@pytest.mark.parametrize("verb", [["train"], ["train", "imagenet-swin-t"], ["pretrain", "swin-t"]])
def test_the_first_screen_is_short_and_names_the_longer_one(verb, capsys):
    shown = options(verb, "--help", capsys)
    assert 20 < len(shown) <= MOST
    assert {"--help-all", "--processes", "--optimiser.lr", "--run.batch_size"} <= set(shown)


def test_the_longer_one_has_every_field(capsys):
    every = [f"--{name}" for name, _, _ in leaves(RECIPES["cifar10-swin-pico"]())]
    assert [option for option in options(["train"], "--help-all", capsys) if option in every] == every


def test_the_first_screen_shows_fields_that_there_are():
    assert set(FIRST) <= set(WORDS)


def test_a_field_that_only_the_longer_help_shows_can_be_set_and_is_suggested(capsys, tmp_path):
    words = ["train", "cifar10-swin-pico", "data=nowhere", f"out={tmp_path / 'run'}"]
    assert main([*words, "optimiser.eps=1e-6"]) == 3
    assert main([*words, "optimiser.epz=1e-6"]) == 2
    assert "did you mean 'optimiser.eps'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("run.trackers=wandb", "Expected a list, such as [wandb]. Got value: wandb"),
        (
            "run.trackers=[wandbb]",
            "Expected one of 'tensorboard', 'wandb', 'mlflow', 'trackio'. Got value: wandbb",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_without_types_of_python(word, message, capsys):
    assert main(["train", "cifar10-swin-pico", "data=x", "out=y", word]) == 2
    assert message in capsys.readouterr().err
