"""The model in the package: small, whole, and as good as its card says."""

import json
import re
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.cli.main import main
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


def test_the_card_states_at_least_82_percent() -> None:
    assert stated("top-1") >= 0.82


def test_the_command_of_the_card_gives_its_numbers(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On all 10,000 test pictures, which takes half a minute."""
    assert main(["evaluate", DEFAULT, f"data={shared / 'data' / 'cifar10.zip'}", "split=test", "--json"]) == 0
    found, kept = json.loads(capsys.readouterr().out), json.loads((FOLDER / "metrics.json").read_text())
    assert found["pictures"] == kept["pictures"] == 10_000
    assert found["data"]["sha256"] == kept["data"]["sha256"]
    assert found["loss"] == pytest.approx(kept["val_loss"], abs=1e-4)
    for name, told in (("top1", stated("top-1")), ("top5", stated("top-5"))):
        assert found[name] == pytest.approx(told, abs=2e-4), (
            name
        )  # two pictures: sums differ between machines


def test_it_answers_any_size_of_pixels() -> None:
    with torch.inference_mode():
        assert swinkit.load()(torch.randn(1, 3, 45, 70)).isfinite().all()
