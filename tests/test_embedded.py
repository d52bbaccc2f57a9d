"""The models in the package: small, whole, and as good as their cards say."""

import json
import re
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.cli.main import main
from swinkit.models.specs import VARIANTS
from swinkit.zoo.checkpoints import published_checkpoints

EMBEDDED = {name: row.folder for name, row in published_checkpoints().items() if row.folder is not None}
each = pytest.mark.parametrize("name", EMBEDDED)


def stated(name: str, what: str) -> float:
    """Return a share that a card states, such as `**81.23 %** top-1`."""
    found = re.search(rf"([\d.]+) %(?:\*\*)? {what}", (EMBEDDED[name] / "README.md").read_text())
    assert found is not None
    return float(found[1]) / 100


def test_they_are_a_v1_and_a_v2_of_which_the_first_is_the_default() -> None:
    assert list(EMBEDDED) == ["swin-pico/cifar-10", "swinv2-pico/cifar-10"]


@each
def test_it_takes_at_most_six_megabytes(name: str) -> None:
    assert sum(file.stat().st_size for file in EMBEDDED[name].iterdir()) < 6e6


@each
def test_it_is_the_variant_of_its_name(name: str) -> None:
    assert swinkit.load(name).backbone.spec == VARIANTS[name.partition("/")[0]].spec


@each
def test_the_card_states_at_least_82_percent(name: str) -> None:
    assert stated(name, "top-1") >= 0.82
    assert published_checkpoints()[name].reported == {"top1": pytest.approx(100 * stated(name, "top-1"))}


@pytest.mark.slow  # half a minute of evaluation
@each
def test_the_command_of_the_card_gives_its_numbers(
    name: str, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On all 10,000 test pictures, which takes half a minute."""
    assert main(["evaluate", name, f"data={shared / 'data' / 'cifar10.zip'}", "split=test", "--json"]) == 0
    found, kept = (
        json.loads(capsys.readouterr().out),
        json.loads((EMBEDDED[name] / "metrics.json").read_text()),
    )
    assert found["pictures"] == kept["pictures"] == 10_000
    assert found["data"]["sha256"] == kept["data"]["sha256"]
    assert found["loss"] == pytest.approx(kept["val_loss"], abs=1e-4)
    for score, told in (("top1", stated(name, "top-1")), ("top5", stated(name, "top-5"))):
        assert found[score] == pytest.approx(told, abs=2e-4), score  # two pictures: sums differ by machine


@each
def test_it_answers_any_size_of_pixels(name: str) -> None:
    with torch.inference_mode():
        assert swinkit.load(name)(torch.randn(1, 3, 45, 70)).isfinite().all()
