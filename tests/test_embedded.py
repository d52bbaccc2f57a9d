"""The model in the package: small, whole, and as good as its card says."""

import re
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.models.specs import VARIANTS
from swinkit.zoo.checkpoints import DEFAULT, published

FOLDER = published()[DEFAULT].folder or Path()


def stated(name: str) -> float:
    """A share that the card states, such as `**81.23 %** top-1`."""
    found = re.search(rf"([\d.]+) %(?:\*\*)? {name}", (FOLDER / "README.md").read_text())
    assert found is not None
    return float(found[1]) / 100


def test_it_takes_at_most_six_megabytes() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6e6


def test_it_is_the_variant_of_its_name() -> None:
    assert swinkit.load().backbone.spec == VARIANTS["swin-pico"].spec


def test_the_card_states_at_least_three_quarters() -> None:
    assert stated("top-1") >= 0.75


def test_the_cards_accuracy_is_measured_again_on_all_test_pictures(shared: Path) -> None:
    counts = swinkit.evaluate(swinkit.load(), shared / "data" / "cifar10.zip")
    assert counts.total == 10_000
    assert counts.top1 == pytest.approx(
        stated("top-1"), abs=2e-4
    )  # two pictures: sums differ between machines
    assert counts.top5 == pytest.approx(stated("top-5"), abs=2e-4)


def test_it_answers_any_size_of_pixels() -> None:
    with torch.inference_mode():
        assert swinkit.load()(torch.randn(1, 3, 45, 70)).isfinite().all()
