"""`swinkit recipes`: what it lists and shows, and what it says of mistakes."""

import json
from dataclasses import asdict

import pytest

from swinkit.cli.main import main
from swinkit.recipes.catalogue import RECIPES, find
from swinkit.tasks.registry import recipe_in


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["recipes", *words]) == 0
    return capsys.readouterr().out


def test_all_are_listed_with_the_published_result(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told([], capsys).splitlines()
    assert [line.split()[0] for line in lines] == ["recipe", *RECIPES]
    assert next(line for line in lines if line.startswith("imagenet-swin-t ")).split()[1:] == [
        "300",
        "1024",
        "-",
        "81.2",
    ]


def test_the_list_is_there_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in json.loads(told(["list", "--json"], capsys))}
    row = rows["imagenet-22k-1k-swin-l"]
    assert (row["init"], row["epochs"]) == ("swin-l/imagenet-22k", 30)
    assert row["reported"] == {"top1": 86.3, "top5": 97.9}
    assert rows["imagenet-22k-swin-moe-b-8e"]["reported"] == {}
    assert not any("\n" in row["title"] for row in rows.values())


def test_one_is_shown_in_words_and_with_all_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["show", "imagenet-swinv2-b"], capsys)
    assert "`swinkit train imagenet-swinv2-b data=imagenet out=runs/imagenet-swinv2-b --processes 8`" in text
    assert "Hardware: 8 GPUs" in text
    fields = dict(line.split() for line in text[text.index("field ") :].splitlines()[1:])
    assert fields["data.size"] == "[256,256]"
    assert fields["run.micro_batch"] == "null"
    assert fields["schedule.after_warmup"] == "true"


@pytest.mark.parametrize(
    "words", [["show", "imagenet-swin-t", "--json"], ["--json", "show", "imagenet-swin-t"]]
)
def test_what_is_shown_for_machines_is_the_whole_recipe(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert recipe_in(json.loads(told(words, capsys))) == find("imagenet-swin-t")


def test_fields_that_are_shown_can_be_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["show", "simmim-swin-b-w6-192"], capsys)
    fields = [line.split() for line in text[text.index("field ") :].splitlines()[1:]]
    again = told(["show", "simmim-swin-b-w6-192", "--json", *("=".join(field) for field in fields)], capsys)
    assert json.loads(again) == json.loads(json.dumps(asdict(find("simmim-swin-b-w6-192"))))


def test_fields_are_changed_before_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(told(["show", "imagenet-swin-t", "optimiser.lr=5e-4", "--json"], capsys))
    assert shown["optimiser"]["lr"] == 5e-4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shwo"], "unknown action 'shwo', did you mean 'show'? (known: list, show)"),
        (["imagenet-swin-t"], "did you mean `swinkit recipes show imagenet-swin-t`?"),
        (["show"], "name the recipe to show; `swinkit recipes` lists all"),
        (["list", "swin"], "a list takes no name; `swinkit recipes show NAME` shows one recipe"),
        (["show", "imagenet-swn-t"], "unknown recipe 'imagenet-swn-t', did you mean 'imagenet-swin-t'?"),
        (["show", "imagenet-swin-t", "optimiser.lrr=1"], "did you mean 'optimiser.lr'?"),
        (["show", "imagenet-swin-t", "optimiser.lr=fast"], "optimiser.lr"),
        (["show", "imagenet-swin-t", "schedule.epochs=0"], "schedule.epochs is 0; it must be 1 or more"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
