"""What a training shows: a bar on a terminal, lines elsewhere."""

import os
import pty
import re
import subprocess
import sys
import termios
from dataclasses import replace

import pytest

from swinkit.cli.progress_bar import Meter, pieces
from swinkit.runs.step_report import Report

REPORT = Report(2, 9, 3, 7, 0.51234, 1e-3, 812.4, 0.071, 3 * 2**29, 3725.0)
LARGE = Report(217, 300, 3214, 9800, 10.51234, 1.25e-5, 12345.6, 0.99, 141 * 2**30, 999 * 3600.0)


def test_a_pipe_gets_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr("swinkit.cli.progress_bar.EVERY", 0.0)
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


def test_a_wide_terminal_gets_all_in_words():
    before, done, to_come, after = pieces(REPORT, 150)
    assert before == "epoch 2/9 "
    assert (len(done), len(to_come)) == (17, 23)  # 3 of 7
    wanted = " 3/7  loss 0.5123  lr 1.0e-03  812 images/s  data wait 7%  1.5 GiB  1:02:05 left"
    assert after == wanted


def test_eighty_columns_have_all_of_it_in_short():
    told = "".join(pieces(REPORT, 79))
    for part in ("2/9 ", " 3/7 ", "loss 0.5123", "lr 1.0e-03", "812/s", "wait 7%", "1.5G", "1:02:05"):
        assert part in told


@pytest.mark.parametrize("said", [REPORT, LARGE, replace(LARGE, step=9800)])
def test_the_bar_is_never_wider_than_the_terminal(said):
    for width in (*range(20, 160), 400):
        told = "".join(pieces(said, width))
        assert len(told) <= width
        assert f"{said.step}/{said.steps}" in told


TERMINAL = """
import sys, time
from tests.cli.test_meter import LARGE, REPORT
from swinkit.cli.progress_bar import Meter
with Meter() as meter:
    for said in (REPORT, LARGE, "epoch 2 of 9  loss 0.1", LARGE):
        meter.show(said)
        time.sleep(0.3)
"""


def test_on_a_terminal_the_bar_is_one_line_and_leaves_nothing_behind(root):
    columns = 80
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm-256color", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", TERMINAL],
        cwd=root,
        env=environment,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    written = read_all(ours)
    assert process.wait() == 0
    screen = Screen(columns)
    screen.feed(written)
    assert screen.widest <= columns - 1
    assert screen.bars == 1  # at any time
    assert [text for text in screen.lines if text] == ["epoch 2 of 9  loss 0.1"]


def read_all(terminal):
    """All that is written until nobody can write any more."""
    found = b""
    try:
        while part := os.read(terminal, 4096):
            found += part
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(terminal)
    return found.decode()


class Screen:
    """As much of a terminal as the bar needs: text, line ends, cursor up, and erasing a line."""

    CODES = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])")

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.widest, self.bars = columns, [""], 0, 0, 0

    def feed(self, text):
        while text:
            code = self.CODES.match(text)
            if code:
                self.obey(code[3], int(code[2] or 1))
                text = text[code.end() :]
            else:
                self.put(text[0])
                text = text[1:]
            self.bars = max(self.bars, sum("━" in each or "─" in each for each in self.lines))

    def obey(self, letter, count):
        if letter == "A":
            self.row -= count
        elif letter == "K":
            self.lines[self.row] = ""

    def put(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            self.column = 0
            self.lines += [""] * (self.row + 1 - len(self.lines))
        else:
            kept = self.lines[self.row][: getattr(self, "column", 0)]
            self.lines[self.row] = kept + letter
            self.column = len(kept) + 1
            self.widest = max(self.widest, self.column)
