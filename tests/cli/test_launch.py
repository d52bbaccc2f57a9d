"""Several processes of one command: their exit code, and signals that reach all of them."""

import signal
import subprocess
import sys
from types import SimpleNamespace

from swinkit.cli.launch import joined, launched


def sleeping(code, seconds=30):
    """A process that would rather sleep, and ends with `code` when it is asked to."""
    program = (
        f"import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code})); "
        f"print('ready', flush=True); time.sleep({seconds})"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    return child


def test_all_processes_run_the_command(capfd):
    assert launched(["--version"], 3) == 0
    assert capfd.readouterr().out.count("swinkit ") == 3


def test_the_code_of_the_one_that_failed_is_given(capfd):
    assert launched(["no-such-verb"], 2) == 2
    assert "unknown command 'no-such-verb'" in capfd.readouterr().err


def test_if_one_is_killed_the_others_are_ended(monkeypatch):
    monkeypatch.setattr("swinkit.cli.launch.GRACE", 0.1)
    children = [sleeping(0), sleeping(0)]
    children[1].kill()
    assert joined(children) == 128 + signal.SIGKILL
    assert children[0].poll() == -signal.SIGKILL
    for child in children:
        child.stdout.close()


def test_a_signal_is_handed_on(monkeypatch):
    children = []

    def started(command, *, env, start_new_session):
        assert start_new_session
        assert {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= set(env)
        children.append(sleeping(143))
        return children[-1]

    stand_in = SimpleNamespace(Popen=started, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr("swinkit.cli.launch.subprocess", stand_in)
    asked = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        assert launched(["train"], 2) == 143
    finally:
        signal.signal(signal.SIGALRM, asked)
    assert [child.poll() for child in children] == [143, 143]
    for child in children:
        child.stdout.close()
