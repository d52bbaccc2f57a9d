"""A candidate's process answers, rests, and is gone in the end, whatever becomes of it or of the runner."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peers.process import Process, ProcessFailure, child_environment

MODULE = "tests.benchmarks.peers.stand_in"
JUDGE = """
import sys, time
from benchmarks.peers.process import Process
process = Process("tests.benchmarks.peers.stand_in", {"candidate": "timm", "cache": "."}, {})
process.receive(60)
print(process.child.pid, flush=True)
time.sleep(60)
"""
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="states are read from Linux")


def state(number: int) -> str:
    """Return the letter of a process's state; empty when it is gone."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def becomes(number: int, *states: str) -> bool:
    """Whether it comes to one of the states soon."""
    end = time.monotonic() + 20
    while state(number) not in states and time.monotonic() < end:
        time.sleep(0.01)
    return state(number) in states


@pytest.fixture
def process(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """`process("timm")` starts one that behaves as that name does."""
    monkeypatch.setenv("PYTHONPATH", str(root))
    started = []

    def start(name: str) -> Process:
        started.append(Process(MODULE, {"candidate": name, "cache": str(tmp_path)}, {}))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_it_answers_and_rests_until_it_is_asked_again(process) -> None:
    timm = process("timm")
    assert timm.receive(60) == {"memory": 10**6, "seconds": 0.2}
    assert becomes(timm.child.pid, "T")
    assert timm.ask({"calls": 3}, 60) == {"seconds": [0.2, 0.2, 0.2]}
    assert becomes(timm.child.pid, "T")


def test_one_that_hangs_is_ended(process) -> None:
    vit = process("vit-b-16")
    vit.receive(60)
    with pytest.raises(ProcessFailure, match=r"^no answer within 0 s$"):
        vit.ask({"calls": 1}, 0.2)
    assert state(vit.child.pid) == ""


def test_one_that_was_killed_while_it_rested_is_told_so(process) -> None:
    timm = process("timm")
    timm.receive(60)
    timm.signal(signal.SIGKILL)
    with pytest.raises(ProcessFailure, match=r"^killed by SIGKILL"):
        timm.ask({"calls": 1}, 60)


def test_one_that_has_ended_is_asked_nothing(process) -> None:
    timm = process("timm")
    timm.end()
    with pytest.raises(ProcessFailure, match="it has ended"):
        timm.ask({"calls": 1}, 60)


def test_none_outlives_a_judge_that_is_killed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    runner = subprocess.Popen([sys.executable, "-c", JUDGE], stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    with runner.stdout as told:
        number = int(told.readline())
    assert becomes(number, "T")
    runner.kill()
    runner.wait()
    assert becomes(number, "", "Z")


def test_all_compute_on_as_many_threads_without_network_and_keep_what_they_compile() -> None:
    made = child_environment(3, Path("/cache"))
    assert made["OMP_NUM_THREADS"] == "3"
    assert made["HF_HUB_OFFLINE"] == "1"
    assert made["TORCHINDUCTOR_CACHE_DIR"] == "/cache/inductor"
