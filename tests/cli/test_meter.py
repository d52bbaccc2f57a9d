"""What a training shows: a bar on a terminal, lines elsewhere."""

import pytest

from swinkit.cli.meter import Meter
from swinkit.training.report import Report

REPORT = Report(2, 9, 3, 7, 0.51234, 1e-3, 812.4, 0.071, 3 * 2**29, 3725.0)


def test_a_pipe_gets_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr("swinkit.cli.meter.EVERY", 0.0)
    with Meter() as meter:
        meter.show("the beginning")
        meter.show(REPORT)
    told = capsys.readouterr()
    assert told.out == "the beginning\n"
    assert told.err == (
        "epoch 2/9  step 3/7  loss 0.5123  lr 1.00e-03  812 images/s  data wait 7%  1.5 GiB  1:02:05 left\n"
    )


def test_lines_that_come_too_soon_are_left_out(capsys):
    with Meter() as meter:
        meter.show(REPORT)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    with Meter() as meter:
        meter.show(REPORT)
    shown = capsys.readouterr().err
    assert "epoch 2/9" in shown
    assert "3/7  loss 0.5123  lr 1.0e-03  812 images/s  wait 7%  1.5 GiB  1:02:05 left" in shown
