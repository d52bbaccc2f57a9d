"""`swinkit push`, from the command line, to a stand-in for the hub."""

import json
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.cli.main import main

from ..zoo.hub_state import Hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # how huggingface_hub sends large files

PICO = "swin-pico/cifar-10"


def test_a_model_is_published_and_predicts_from_the_hub(
    hub: Hub, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", PICO, "me/pico", "--licence", "mit", "--dataset", "cifar10", "--top1", "0.9"]) == 0
    assert capsys.readouterr().out == (
        "me/pico: model.safetensors, config.json, preprocess.json, labels.json, README.md\n"
        "read by swinkit, timm, transformers\n"
        f"{hub.address}/me/pico/commit/{hub.repos['me/pico'].branches['main']}\n"
    )
    one, other = swinkit.load(PICO).state_dict(), swinkit.load("hf:me/pico").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_dry_run_asks_nothing_and_needs_no_token(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    assert main(["push", PICO, "me/pico", "-n", "--json", "--private", "--revision", "next"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["address"], told["private"], told["revision"]) == (None, True, "next")
    assert told["readers"] == ["swinkit", "timm", "transformers"]
    assert told["parameters"] == sum(value.numel() for value in swinkit.load(PICO).state_dict().values())
    assert hub.asked == []


def test_the_card_of_a_saved_folder_is_kept(hub: Hub, tmp_path: Path) -> None:
    swinkit.save(swinkit.load(PICO), tmp_path / "mine", card="# Written by me\n")
    assert main(["push", str(tmp_path / "mine"), "me/mine"]) == 0
    assert hub.repos["me/mine"].files["README.md"].decode().endswith("---\n# Written by me\n")


def test_a_copy_of_a_pushed_repository_is_a_saved_model(hub: Hub, tmp_path: Path) -> None:
    assert main(["push", PICO, "me/pico"]) == 0
    folder = tmp_path / "copy"
    folder.mkdir()
    for name, content in hub.repos["me/pico"].files.items():
        (folder / name).write_bytes(content)
    one, other = swinkit.load(PICO).state_dict(), swinkit.load(folder).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["push", PICO], 2, "name"),
        (["push", PICO, "pico"], 2, "'pico' names no repository"),
        (["push", PICO, "pico", "-n"], 2, "'pico' names no repository"),
        (["push", PICO, "me/pico@v2", "-n"], 2, "name a branch apart"),
        (["push", PICO, "me/pico--t", "-n"], 2, "me/pico--t"),
        (["push", PICO, "me/pico", "--top1", "0.5"], 2, "given together with the dataset"),
        (["push", PICO, "me/pico", "--top1", "high"], 2, "top1"),
        (["push", "no-such-model", "me/pico"], 2, "no-such-model"),
    ],
)
def test_mistakes_are_one_line(
    hub: Hub, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_refused_token_ends_with_the_code_of_the_environment(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "old")
    assert main(["push", PICO, "me/pico"]) == 4
    assert "error: me/pico: the hub does not accept the token" in capsys.readouterr().err
