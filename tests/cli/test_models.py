"""`swinkit models`: the table, its filters and its JSON."""

import json
from typing import Any

import pytest

from swinkit.cli.main import main
from swinkit.models.specs import VARIANTS


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """The rows of `swinkit models --json`."""
    assert main(["models", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_holds_every_variant_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in listed(capsys)}
    assert list(rows) == list(VARIANTS)
    assert rows["swin-t"]["params"] == 28_288_354
    assert rows["swin-t"]["input"] == [224, 224]
    assert rows["swin-pico"]["weights"] == ["swin-pico/cifar-10"]
    assert "swin_tiny_patch4_window7_224" in rows["swin-t"]["aliases"]


def test_filters_combine(capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        row["name"]
        for row in listed(capsys, "--family", "v2", "--max-params", "49.8M", "--task", "classification")
    ]
    assert names == ["swinv2-t", "swinv2-s", "swinv2-t-w16", "swinv2-s-w16", "swinv2-s-w12-192"]


def test_the_table_is_aligned_and_has_a_line_a_variant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "task", "params", "GMACs", "input", "weights"]
    assert len(lines) == len(VARIANTS)
    assert {line.index("lassification") for line in lines if "video" not in line} == {head.index("task") + 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--family", "v9"], "no model has the family 'v9' (known: v1, v2, video)"),
        (
            ["--task", "detect"],
            "no model has the task 'detect' (known: classification, video-classification)",
        ),
        (["--max-params", "lots"], "--max-params 'lots' is not a number such as 60M or 3B"),
        (
            ["--max-parms", "3M"],
            "unknown option 'max-parms', did you mean 'max-params'?; see `swinkit models --help`",
        ),
    ],
)
def test_wrong_filters_are_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
