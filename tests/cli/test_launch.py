"""Several processes of one command: their exit code, and signals that reach all of them."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from swinkit.cli.launch import launch, wait

pytestmark = pytest.mark.processes


def sleeping(code, seconds=30):
    """Return a process that would rather sleep, and ends with `code` when it is asked to."""
    program = (
        f"import signal, sys, time; end = lambda *_: sys.exit({code}); "
        "signal.signal(signal.SIGTERM, end); signal.signal(signal.SIGHUP, end); "
        f"print('ready', flush=True); time.sleep({seconds})"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    return child


def test_all_processes_run_the_command(capfd):
    assert launch(["--version"], 3) == 0
    assert capfd.readouterr().out.count("swinkit ") == 3


def test_the_code_of_the_one_that_failed_is_given(capfd):
    assert launch(["no-such-verb"], 2) == 2
    assert "unknown command 'no-such-verb'" in capfd.readouterr().err


def test_if_one_is_killed_the_others_are_ended(monkeypatch):
    monkeypatch.setattr("swinkit.cli.launch.GRACE", 0.1)
    children = [sleeping(0), sleeping(0)]
    children[1].kill()
    assert wait(children, []) == 128 + signal.SIGKILL
    assert children[0].poll() == -signal.SIGKILL
    for child in children:
        child.stdout.close()


def ending(code, after=0.0):
    """Return a process that ends with `code` some seconds from now."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys, time; time.sleep({after}); sys.exit({code})"]
    )


def test_an_error_that_was_told_comes_before_what_follows_from_it():
    assert wait([ending(1), ending(3, after=0.5)], []) == 3
    assert wait([ending(0), ending(1)], []) == 1


def test_those_that_were_asked_to_stop_may_take_their_time(monkeypatch):
    monkeypatch.setattr("swinkit.cli.launch.GRACE", 0.1)
    children = [ending(143, after=1.0), ending(143)]
    assert wait(children, []) == 143
    assert [child.poll() for child in children] == [143, 143]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_handed_on(number, monkeypatch):
    children = []

    def started(command, *, env, start_new_session, stdin):
        assert start_new_session
        assert os.fstat(stdin)
        assert {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= set(env)
        children.append(sleeping(143))
        return children[-1]

    stand_in = SimpleNamespace(Popen=started)
    monkeypatch.setattr("swinkit.cli.launch.subprocess", stand_in)
    asked = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        assert launch(["train"], 2) == 143
    finally:
        signal.signal(signal.SIGALRM, asked)
    assert [child.poll() for child in children] == [143, 143]
    for child in children:
        child.stdout.close()
