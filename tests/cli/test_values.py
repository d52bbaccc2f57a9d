"""Values on the command line: what each type reads, and how options and positional arguments may stand."""

from argparse import ArgumentTypeError
from typing import Any, Literal

import pytest

from swinkit.cli.arguments import Parser, Value, parse, placeholder, split_option, text_of
from swinkit.cli.main import main
from swinkit.errors import UsageError

MICRO_BATCH = int | Literal["auto"] | None
TRACKERS = tuple[Literal["wandb", "mlflow"], ...]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "-1", -1),
        (int, "1_000", 1000),
        (float, "1", 1.0),
        (float, "-1e-3", -0.001),
        (float, ".5", 0.5),
        (bool, "True", True),
        (bool, "no", False),
        (str, "a b", "a b"),
        (str, "null", "null"),
        (str | None, "null", None),
        (str | None, "None", "None"),
        (str | None, "x=y", "x=y"),
        (str | None, "1", "1"),
        (int | None, "null", None),
        (MICRO_BATCH, "auto", "auto"),
        (MICRO_BATCH, "4", 4),
        (MICRO_BATCH, "null", None),
        (tuple[int, ...], "[32,32]", (32, 32)),
        (tuple[int, ...], "32,32", (32, 32)),
        (tuple[int, ...], "[32, 32]", (32, 32)),
        (tuple[int, ...], "[32]", (32,)),
        (tuple[float, float] | None, "[0.1,1]", (0.1, 1.0)),
        (tuple[float, float] | None, "0.1,1", (0.1, 1.0)),
        (tuple[float, float] | None, "null", None),
        (TRACKERS, "[]", ()),
        (TRACKERS, "[wandb]", ("wandb",)),
        (TRACKERS, '["wandb"]', ("wandb",)),
        (TRACKERS, "wandb,mlflow", ("wandb", "mlflow")),
    ],
)
def test_text_becomes_the_value_that_its_type_means(kind: Any, text: str, value: object):
    found = Value(kind)(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (int, "1.0", "must be a whole number, not '1.0'"),
        (int, "true", "must be a whole number, not 'true'"),
        (bool, "1", "must be true or false, not '1'"),
        (int | None, "None", "must be a whole number or null, not 'None'"),
        (MICRO_BATCH, "Auto", "must be a whole number or 'auto' or null, not 'Auto'"),
        (tuple[int, ...], "32", "must be a list, such as [32,32], not '32'"),
        (tuple[int, ...], "[32", "must be a list, such as [32,32], not '[32'"),
        (tuple[int, ...], "[32,x]", "must be a whole number, not 'x'"),
        (tuple[float, float] | None, "[0.1,x]", "must be a number, not 'x'"),
        (tuple[float, float] | None, "[1]", "must be a list of 2 elements, not '[1]'"),
    ],
)
def test_text_that_is_no_such_value_is_refused(kind: Any, text: str, message: str):
    with pytest.raises(ArgumentTypeError) as refused:
        Value(kind, length=2)(text)
    assert str(refused.value) == message


@pytest.mark.parametrize("value", [(32, 32), (0.9, 0.999), (), True, None, "auto", 1e-8])
def test_a_value_is_written_as_it_is_read(value: object):
    kind = {tuple: tuple[float, ...], bool: bool, str: str, float: float}.get(type(value), int | None)
    assert Value(kind)(text_of(value)) == value


def test_help_pages_have_a_placeholder_for_each_type():
    kinds = (int | None, tuple[float, float], tuple[int, ...], TRACKERS, MICRO_BATCH, Literal["a", "b"])
    assert [placeholder(kind) for kind in kinds] == [
        "N",
        "[X,X]",
        "[N,...]",
        "[NAME,...]",
        "N|auto",
        "{a,b}",
    ]


def test_one_option_is_split_off_in_each_way_of_writing_it():
    for words in (["--resume", "run"], ["--resume=run"], ["resume=run"]):
        others = ["--data.size=[1,2]", "--optimiser.lr", "-1", "--init=a b", "word", "-n"]
        assert split_option("resume", "RUN", [*others, *words]) == ("run", others)
    with pytest.raises(UsageError, match=r"^resume needs a value: --resume RUN$"):
        split_option("resume", "RUN", ["a", "--resume="])


def test_an_option_is_not_known_by_its_beginning():
    parser = Parser("verb", "")
    parser.add_argument("--data.size", type=Value(int))
    with pytest.raises(UsageError, match=r"unknown option 'data', did you mean 'data\.size'\?"):
        parse(parser, ["data=1"], assignments=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "--top"], "top needs a value: --top N"),
        (["predict", "--top=", "a.jpg"], "top needs a value: --top N"),
        (["predict", "--json=1", "a.jpg"], "json takes no value"),
        (["evaluate"], "the following arguments are required: model, --data"),
        (["convert", "a", "b"], "the following arguments are required: --to"),
        (["convert", "a", "b", "--to"], "to needs a value: --to NAME"),
        (["optimize", "--batch-size", "x"], "batch-size must be a whole number, not 'x'"),
        (["cache", "list", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_missing_and_superfluous_values_are_told(words, message, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err == f"error: {message}; see `swinkit {words[0]} --help`\n"


def test_options_may_stand_between_pictures_and_everything_after_two_dashes_is_one(capsys):
    assert main(["predict", "no.jpg", "--top", "3", "nor.jpg", "--", "--top"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"error: {name}: no such file or folder" for name in ("no.jpg", "nor.jpg", "--top")
    ]


def test_none_is_spelled_as_on_the_command_line(capsys):
    assert main(["train", "cifar10-swin-pico", "data=data", "out=out", "schedule.epochs=null"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "error: schedule.epochs is null; it must be 1 or more, or schedule.iterations given"
    )
