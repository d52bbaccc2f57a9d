"""The options of the tasks' predictions as options of `swinkit predict`."""

from dataclasses import make_dataclass
from typing import Annotated

import pytest

from swinkit.cli.predict import read_options
from swinkit.errors import UsageError
from swinkit.tasks.classification.task_type import ClassificationType
from swinkit.tasks.options import PredictOptions
from swinkit.tasks.registry import TASKS


@pytest.fixture(autouse=True)
def two_rows(monkeypatch):
    """Leave two tasks in the table."""
    for name in TASKS.keys() - {"classification", "simmim"}:
        monkeypatch.delitem(TASKS, name)


def row_with(**options: tuple[type, object]):
    """Return the row of a task whose prediction has these options, each of a type with a default."""
    fields = [(name, Annotated[kind, f"the {name}"], default) for name, (kind, default) in options.items()]
    made = make_dataclass("OtherOptions", fields, bases=(PredictOptions,), frozen=True, kw_only=True)
    return type("OtherType", (ClassificationType,), {"name": "other", "predict_options": made})


@pytest.mark.parametrize(
    "name", ["json", "batch_size", "model", "dialect", "help", "paths", "inputs", "owners"]
)
def test_an_option_of_a_task_with_a_name_that_is_taken_is_refused(name, monkeypatch):
    monkeypatch.setitem(TASKS, "other", row_with(**{name: (int, 1)}))
    taken = f"OtherOptions.{name}: `swinkit predict` has a {name} already; rename the field"
    with pytest.raises(TypeError, match=f"^{taken}$"):
        read_options(["cat.png"])


def test_an_option_of_two_tasks_has_one_type(monkeypatch):
    monkeypatch.setitem(TASKS, "other", row_with(top=(float, 1.0)))
    with pytest.raises(
        TypeError, match=r"^ClassificationOptions and OtherOptions have a top of other types; "
    ):
        read_options(["cat.png"])


def test_the_help_says_whose_models_an_option_is_for(monkeypatch, capsys):
    monkeypatch.setitem(TASKS, "other", row_with(top=(int, 5), words=(str, ""), flip=(bool, True)))
    with pytest.raises(SystemExit):
        read_options(["--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert "classification: how many answers for each picture; without it, 5; other: the top; without" in page
    assert "simmim: seed of the part that a pre-trained model hides of each picture; without it, 0" in page
    assert "--words NAME other: the words --flip, --no-flip other: the flip; without it, true" in page


def test_a_bool_option_of_a_task_is_a_switch(monkeypatch):
    monkeypatch.setitem(TASKS, "other", row_with(flip=(bool, True)))
    for words, given in (([], {}), (["--flip"], {"flip": True}), (["--no-flip"], {"flip": False})):
        assert read_options(["cat.png", *words]).given == given
    with pytest.raises(UsageError, match=r"^flip takes no value; "):
        read_options(["cat.png", "--flip=true"])


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match=r"^--seed is -1; it must be 0 or more$"):
        read_options(["cat.png", "--seed", "-1"])
