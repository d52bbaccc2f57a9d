"""The help of `swinkit train`: a first screen of what is often set, and a longer one of everything."""

import pytest

from swinkit.cli.main import main
from swinkit.cli.recipe_options import leaves
from swinkit.recipes.catalogue import RECIPES
from swinkit.settings.recipe import descriptions

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
    every = {f"--{name}" for name, _, _ in leaves(RECIPES["cifar10-swin-pico"]())}
    shown = [option for option in options(["train"], "--help-all", capsys) if option in every]
    assert sorted(shown) == sorted(every)


def test_the_first_screen_shows_fields_that_there_are():
    recipes = [RECIPES[name]() for name in ("cifar10-swin-pico", "simmim-swin-b-w6-192")]
    for recipe in recipes:
        assert set(recipe.essential) <= {name for name, _ in descriptions(recipe)}


def test_a_field_that_only_the_longer_help_shows_can_be_set_and_is_suggested(capsys, tmp_path):
    words = ["train", "cifar10-swin-pico", "data=nowhere", f"out={tmp_path / 'run'}"]
    assert main([*words, "optimiser.eps=1e-6"]) == 3
    assert main([*words, "optimiser.epz=1e-6"]) == 2
    assert "did you mean 'optimiser.eps'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("run.trackers=wandb", "run.trackers must be a list, such as [wandb], not 'wandb'"),
        (
            "run.trackers=[wandbb]",
            "run.trackers must be one of 'tensorboard', 'wandb', 'mlflow', 'trackio', not 'wandbb'",
        ),
        ("schedule.epochs=three", "schedule.epochs must be a whole number or null, not 'three'"),
        ("optimiser.lr=fast", "optimiser.lr must be a number, not 'fast'"),
        ("run.ema=x", "run.ema must be a number or null, not 'x'"),
        ("run.compile=x", "run.compile must be true or false, not 'x'"),
        ("run.micro_batch=x", "run.micro_batch must be a whole number or 'auto' or null, not 'x'"),
        ("optimiser.betas=[1]", "optimiser.betas must be a list of 2 elements, not '[1]'"),
        ("optimiser.betas=0.9", "optimiser.betas must be a list, such as [0.9,0.9], not '0.9'"),
        ("data.size=32", "data.size must be a list, such as [32,32], not '32'"),
        ("augmentation.ratio=1", "augmentation.ratio must be a list, such as [1,1], not '1'"),
        ("augmentation.scale=1", "augmentation.scale must be a list, such as [1,1], or null, not '1'"),
        ("model.init=x", "unknown option 'model.init', did you mean 'init'?"),
        ("epochs=3", "unknown option 'epochs', did you mean 'schedule.epochs'?"),
        ("epoch=3", "unknown option 'epoch', did you mean 'schedule.epochs'?"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_without_types_of_python(word, message, capsys):
    assert main(["train", "cifar10-swin-pico", "data=x", "out=y", word]) == 2
    assert capsys.readouterr().err == f"error: {message}; see `swinkit train cifar10-swin-pico --help`\n"
