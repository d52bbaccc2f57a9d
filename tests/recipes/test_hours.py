"""How long published trainings take: what the estimate assumes, and that what is said follows from it."""

import re
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from swinkit.models.catalogue import find_variant as find_variant
from swinkit.models.counts import num_macs
from swinkit.recipes.catalogue import RECIPES, find
from swinkit.recipes.hours import PEAK, SCALES, SHARE, hours_of, round_hours, told
from swinkit.recipes.imagenet import from_scratch
from swinkit.recipes.tiny import on_cifar10

STATED = re.compile(r"Hours: ([\d,]+)(?: to ([\d,]+))? (?:on (\d+) V100s|of one V100) \(estimated\)")


@pytest.fixture(scope="module")
def rates(shared: Path) -> list[tuple[float, float]]:
    """Pictures a second of a V100, and billions of multiply-adds for each, as published."""
    import yaml

    models = yaml.safe_load((shared / "facts" / "variants.yaml").read_text(encoding="utf-8"))["models"]
    known: list[dict[str, Any]] = [model.get("published") or {} for model in models]
    return [(one["throughput_img_s_V100"], one["flops_G"]) for one in known if "throughput_img_s_V100" in one]


def test_the_share_of_the_peak_is_that_of_the_published_rates(rates: list[tuple[float, float]]) -> None:
    shares = [rate * 2e9 * macs / PEAK for rate, macs in rates]
    assert len(shares) == 31
    assert (round(100 * min(shares)), round(100 * max(shares))) == (37, 62)
    assert mean(shares) == pytest.approx(SHARE, abs=0.03)


def test_three_passes_over_all_pictures_of_all_epochs_are_counted() -> None:
    recipe = find("imagenet-swin-t")
    passed = 300 * 1_281_167 * 3
    seconds = passed * 2 * num_macs(find_variant("swin-t")[1].spec, (224, 224)) / (SHARE * PEAK)
    hours = hours_of(from_scratch, recipe)
    assert hours == pytest.approx(seconds / 3600)
    again = hours_of(from_scratch, replace(recipe, run=replace(recipe.run, checkpointing=True)))
    assert again == pytest.approx(hours * 4 / 3)


@pytest.mark.parametrize("make", SCALES)
def test_each_story_tells_the_hours_of_its_recipes(make: Any) -> None:
    entries = [known for known in RECIPES.values() if known.make is make]
    gpus = SCALES[make].gpus
    hours = [hours_of(make, known()) / (gpus or 1) for known in entries]
    least, most, on = STATED.search(" ".join(entries[0].story.split())).groups()
    assert (least, most or least) == (round_hours(min(hours)), round_hours(max(hours)))
    assert on == (str(gpus) if gpus else None)


def test_every_published_recipe_has_an_estimate_and_our_own_measure_theirs() -> None:
    for name, known in RECIPES.items():
        own = name.startswith(("cifar10", "finetune"))
        assert (known.make in SCALES) != own
        assert ("Time: " in known.story) == own
    assert told(on_cifar10, find("cifar10-swin-pico")) is None


def test_a_model_that_takes_no_pictures_has_none() -> None:
    assert hours_of(from_scratch, replace(find("imagenet-swin-t"), variant="video-swin-t")) is None


def test_it_is_said_with_what_it_assumes() -> None:
    said = told(from_scratch, find("imagenet-swin-b"))
    assert said == "1,300 hours of one V100, 160 of 8 together; estimated, at 50% of its 15.7 TFLOP/s in fp32"
