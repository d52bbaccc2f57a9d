"""`swinkit models`: the table, its filters and its JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from swinkit.cli.main import main
from swinkit.models.specs import VARIANTS
from swinkit.zoo.checkpoints import Checkpoint, published_checkpoints
from swinkit.zoo.paths import cached_path


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """Return the rows of `swinkit models --json`."""
    assert main(["models", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_holds_every_variant_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in listed(capsys)}
    assert list(rows) == list(VARIANTS)
    assert rows["swin-t"]["params"] == 28_288_354
    assert rows["swin-t"]["input"] == [224, 224]
    (weights,) = rows["swin-pico"]["weights"]
    assert (weights["name"], weights["cached"], weights["licence"]) == ("swin-pico/cifar-10", True, "MIT")
    assert weights["reported"] == {"top1": 87.03}
    assert "swin_tiny_patch4_window7_224" in rows["swin-t"]["aliases"]


def test_filters_combine(capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        row["name"]
        for row in listed(capsys, "--family", "v2", "--max-params", "49.8M", "--task", "classification")
    ]
    assert names == [
        "swinv2-pico",
        "swinv2-t",
        "swinv2-s",
        "swinv2-t-w16",
        "swinv2-s-w16",
        "swinv2-s-w12-192",
        "swinv2-s-w14-224-from12",
    ]


def test_the_table_is_aligned_and_has_a_line_a_variant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "params", "GMACs", "input", "top-1", "licence", "weights"]
    assert len(lines) == len(VARIANTS)
    assert max(map(len, lines)) <= 100
    assert {line.rindex(" M ") for line in lines} == {head.index("params") + 4}
    by_name = {line.split()[0]: line.split()[1:] for line in lines}
    assert by_name["swin-pico"] == ["1.0", "M", "0.04", "32x32", "87.0", "CIFAR", "MIT", "1,", "1", "here"]
    assert by_name["swin-mlp-b"] == ["60.7", "M", "10.41", "224x224", "81.3", "MIT", "1"]
    assert by_name["swinv2-l"][4:] == ["-", "-", "-"]
    assert by_name["swin-moe-s-8e"][4:6] == ["36.8", "IN-22k"]
    assert by_name["video-swin-b"][4:6] == ["84.0", "K600"]
    assert by_name["video-swin-b-w16x7x7"][4:6] == ["69.6", "SSv2"]


def test_a_models_weights_are_listed_with_what_is_reported_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    path = cached_path(published_checkpoints()["swin-s/imagenet-1k"])
    path.parent.mkdir(parents=True)
    path.touch()
    assert main(["models", "swin_small_patch4_window7_224"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["weights", "reported", "licence"]
    assert lines[0].split() == ["swin-s/imagenet-1k", "top1", "83.2,", "top5", "96.2", "MIT", "(here)"]
    assert "swin-s/coco-mask-rcnn  " in "\n".join(lines)
    assert {row["name"] for row in listed(capsys, "swin-s") if row["cached"]} == {"swin-s/imagenet-1k"}
    assert "1 here" in next(line for line in table(capsys) if line.startswith("swin-s "))


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_what_other_libraries_downloaded_from_the_hub_is_here_too(
    variable: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    folder = {"HF_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}[variable]
    snapshot = tmp_path / folder / "models--timm--swin_tiny_patch4_window7_224.ms_in1k" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").touch()
    assert not [row for row in listed(capsys, "swin-t") if row["cached"]]
    (snapshot / "model.safetensors").touch()
    assert [row["name"] for row in listed(capsys, "swin-t") if row["cached"]] == ["swin-t/imagenet-1k-timm"]


def test_the_page_of_every_checkpoint_tells_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    missing = {}
    for name, row in published_checkpoints().items():
        assert main(["models", name]) == 0
        head, *lines = capsys.readouterr().out.splitlines()
        assert head == name
        facts = " ".join(line.strip() for line in lines)
        missing[name] = [fact for fact in facts_of(row) if fact not in facts]
        missing[name] += [line for line in lines if len(line) > 100 and "://" not in line]
    assert {name: facts for name, facts in missing.items() if facts} == {}


def facts_of(row: Checkpoint) -> list[str]:
    """Return the facts about a checkpoint, as its page writes them."""
    words = [row.address, row.source, row.licence, row.dialect or "told", row.note, *row.aliases]
    words += [f" {value:g}" for value in row.reported.values()]
    return words + ([row.preprocess["interpolation"]] if row.preprocess else [])


def test_a_checkpoint_is_found_by_the_name_that_the_list_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = listed(capsys, "swin-t/imagenet-1k")
    assert row == next(each for each in listed(capsys, "swin-t") if each["name"] == "swin-t/imagenet-1k")
    assert main(["models", "swin-t/imagenet-1k"]) == 0
    assert capsys.readouterr().out == (
        "swin-t/imagenet-1k\n"
        "address   https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
        "swin_tiny_patch4_window7_224.pth\n"
        "source    https://github.com/microsoft/Swin-Transformer\n"
        "licence   MIT\n"
        "task      classification, 1000 classes, 224x224 pixels\n"
        "dialect   microsoft\n"
        "pictures  shorter side 256, middle 224x224 pixels, bicubic; mean 0.485 0.456 0.406, deviation "
        "0.229\n          0.224 0.225\n"
        "reported  top1 81.2, top5 95.5\n"
        "sha256    -\n"
        "aliases   swin_tiny_patch4_window7_224\n"
        "note      -\n"
        "cached    no\n"
    )


def test_lists_of_weights_fit_a_hundred_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swinkit.cli.models.is_cached", lambda _: True)  # which makes them widest
    assert [main(["models", variant]) for variant in VARIANTS] == [0] * len(VARIANTS)
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 100] == []


def table(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines of `swinkit models`."""
    assert main(["models"]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--family", "v9"], "no model has the family 'v9' (known: mlp, moe, v1, v2, v2-cr, video)"),
        (
            ["--task", "detect"],
            "no model has the task 'detect' (known: classification, video-classification)",
        ),
        (["swin-t", "--family", "v2"], "--family is for the list of all models; leave it or swin-t out"),
        (
            ["swin-t", "--max-params", "3M"],
            "--max-params is for the list of all models; leave it or swin-t out",
        ),
        (
            ["swin-t-unknown"],
            "unknown model 'swin-t-unknown', did you mean 'swin-t'?; `swinkit models` lists all",
        ),
        (
            ["swin-t/imagenet1k"],
            "swin-t/imagenet1k: no such file, folder or checkpoint, did you mean 'swin-t/imagenet-1k'?",
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
