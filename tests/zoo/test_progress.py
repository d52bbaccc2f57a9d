"""A download as it is seen on a terminal and in a file."""

import io
import sys

import pytest

from swinkit.zoo.progress import progress_bar


class Terminal(io.StringIO):
    """A stream that is taken for a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_file_gets_a_line_at_each_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("downloading x") as watch:
        for have in range(0, 4_000_001, 100_000):
            watch(have, 4_000_000)
    assert capsys.readouterr().err.splitlines() == [
        f"downloading x: {share} % of 4.0 MB" for share in (0, 25, 50, 75, 100)
    ]


def test_what_goes_on_begins_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("downloading x") as watch:
        watch(3_000_000, 4_000_000)
        watch(4_000_000, 4_000_000)
    assert [line.split(":")[1] for line in capsys.readouterr().err.splitlines()] == [
        " 75 % of 4.0 MB",
        " 100 % of 4.0 MB",
    ]


def test_an_unknown_size_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("downloading x") as watch:
        watch(0, None)
        watch(10**6, None)
    assert capsys.readouterr().err == "downloading x, of unknown size\n"


def test_nothing_is_said_where_nothing_is_downloaded(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("downloading x"):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total", [4_000_000, None])
def test_a_terminal_gets_a_bar_that_goes_away(total: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("downloading x") as watch:
        watch(1_000_000, total)
    assert "downloading x" in terminal.getvalue()
    assert "1.0" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")
