"""A recipe is checked when it is made, and survives being written down."""

import json
import math
from dataclasses import asdict, replace

import pytest

from swinkit.cli.recipe_options import leaves
from swinkit.errors import DataError, UsageError
from swinkit.recipes.catalogue import RECIPES, find
from swinkit.runs.config_diff import changes_of
from swinkit.settings.optimiser import Optimiser
from swinkit.settings.recipe import descriptions, from_json
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.registry import recipe_in

PICO = find("cifar10-swin-pico")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_from_json(name):
    recipe = find(name)
    assert recipe_in(json.loads(json.dumps(asdict(recipe)))) == recipe


@pytest.mark.parametrize("name", ["cifar10-swin-pico", "simmim-swin-b-w6-192"])
def test_what_earlier_versions_recorded_is_the_same_recipe(name):
    recipe = find(name)
    earlier = json.loads(json.dumps(asdict(recipe)))
    earlier.setdefault("masking", None)  # every task had it
    mixing = {
        "erase": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "mixing": 1.0,
        "switch": 0.5,
        "mixing_epochs": None,
        "smoothing": 0.0,
    }
    earlier["augmentation"] = mixing | earlier["augmentation"]  # every task had them
    assert recipe_in(earlier) == recipe
    assert changes_of({"recipe": earlier}, {"recipe": json.loads(json.dumps(asdict(recipe)))}) == []


def test_every_field_has_a_description():
    for name in RECIPES:
        recipe = find(name)
        described = dict(descriptions(recipe))
        assert list(described) == [field for field, _, _ in leaves(recipe)]
        assert all(10 < len(text) < 110 for text in described.values())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"task": ["simmim"]},
            "recipe.task must be one of classification, multi-label, regression, simmim, got \\['simmim'\\]",
        ),
        (
            {"task": "chess"},
            "recipe.task must be one of classification, multi-label, regression, simmim, got 'chess'",
        ),
        (None, "recipe: expected an object of fields, got NoneType"),
        (asdict(PICO) | {"colour": "red"}, "recipe.colour is not known: it was written by another"),
        (asdict(PICO) | {"run": {"seed": 1}}, "recipe.run.bad_steps is missing, recipe.run.batch_size is"),
    ],
)
def test_settings_of_another_swinkit_are_named(values, message):
    with pytest.raises(DataError, match=message):
        recipe_in(values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Run(batch_size=0), "run.batch_size is 0; it must be 1 or more"),
        (lambda: Run(batch_size=8, micro_batch=3), "run.micro_batch is 3; it must be auto or a divisor of"),
        (lambda: Run(seed=2**40), "run.seed is 1099511627776"),
        (lambda: Run(ema=1.0), "run.ema is 1.0; it must be between 0 and 1"),
        (lambda: Run(save_every=0), "run.save_every is 0"),
        (lambda: Run(patience=0), "run.patience is 0"),
        (lambda: Run(hours=0.0), "run.hours is 0.0; it must be above 0"),
        (lambda: Run(bad_steps=0), "run.bad_steps is 0"),
        (lambda: Optimiser(lr=-1.0), "optimiser.lr is -1.0; it must be above 0"),
        (lambda: replace(PICO, optimiser=Optimiser(lr=math.inf)), "optimiser.lr is inf; it must be finite"),
        (lambda: replace(PICO, optimiser=Optimiser(weight_decay=math.inf)), "optimiser.weight_decay is inf"),
        (lambda: replace(PICO, data=replace(PICO.data, mean=(0.5, math.nan, 0.5))), "data.mean is .*finite"),
        (
            lambda: from_json(Schedule, asdict(PICO.schedule) | {"epochs": "three"}),
            "schedule.epochs is 'three'; it must be a whole number or None",
        ),
        (lambda: Schedule(epochs=3, warmup_epochs=3), "warmup_epochs is 3.*such as schedule.warmup_epochs=0"),
        (lambda: replace(PICO, drop_path=1.0), "drop_path is 1.0"),
        (lambda: replace(PICO, task="chess"), "task is 'chess'; it must be classification"),
        (lambda: replace(PICO.data, size=(0, 4)), "data.size is"),
        (lambda: replace(PICO.data, resize=8), "data.resize is 8; it must be null or at least 32"),
        (lambda: replace(PICO.data, std=(0.0, 1.0, 1.0)), "data.std is"),
        (lambda: replace(PICO.data, workers=-1), "data.workers is -1"),
        (lambda: replace(PICO.data, max_bad_fraction=1.0), "data.max_bad_fraction is 1.0"),
    ],
)
def test_impossible_values_are_refused_when_the_recipe_is_made(make, message):
    with pytest.raises(UsageError, match=message):
        make()
