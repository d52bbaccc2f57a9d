"""The command itself: its overview, its verbs, and how errors leave it."""

import os

import pytest

from swinkit import __version__
from swinkit.cli import main as command_line
from swinkit.cli.main import VERBS, main
from swinkit.errors import DataError, EnvironmentProblem, SwinkitError, UsageError


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in VERBS)


def test_no_arguments_are_a_request_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: swinkit COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"swinkit {__version__}\n"


def test_a_wrong_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predct", "cat.jpg"]) == 2
    assert (
        capsys.readouterr().err
        == "error: unknown command 'predct', did you mean 'predict'?; see `swinkit --help`\n"
    )


@pytest.mark.parametrize("error", [UsageError("u"), DataError("d"), EnvironmentProblem("e")])
def test_an_error_is_one_line_and_its_exit_code(
    error: SwinkitError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(command_line, "run", fail)
    assert main(["models"]) == error.exit_code
    assert capsys.readouterr() == ("", f"error: {error}\n")


def test_an_interrupt_leaves_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run", interrupt)
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_not_disguised_as_a_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(words: list[str]) -> int:
        raise KeyError("bug")

    monkeypatch.setattr(command_line, "run", bug)
    with pytest.raises(KeyError):
        main(["models"])


def test_offline_is_said_before_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWINKIT_OFFLINE", "0")
    assert main(["--offline", "predict", "cat.jpg", "--model", "swin-t/imagenet-1k"]) != 0
    assert os.environ["SWINKIT_OFFLINE"] == "1"
    assert main(["--offline"]) == 0
    assert "--offline" in capsys.readouterr().out
