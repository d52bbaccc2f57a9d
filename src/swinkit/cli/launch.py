"""One command as several processes on this machine, joined as `torchrun` joins them.

torch's own launcher would not do: it gives processes one fixed time to end, whether they were asked to stop,
and may be saving a checkpoint, or another one failed; it reports a failure by a traceback, where commands say
one line; and processes outlive it if it is killed.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import UsageError

RANK, SIZE = "RANK", "WORLD_SIZE"  # environment variables: the process's number, and the number of processes
LAUNCHER = "SWINKIT_LAUNCHER"  # environment variable: the process that started this one
POLL = 0.05  # seconds between two looks at the processes
GRACE = 10.0  # seconds that the others have to end by themselves once one has failed
STOPPED = (129, 130, 143)  # exit codes of processes that were asked to stop, and did
FAILED = (1, 2, 3, 4)  # exit codes of processes that failed, or one of whose peers did
EXPLAINED = (*FAILED[1:], *STOPPED)  # exit codes of processes that said why they ended


def process_count() -> int:
    """Return the number of processes that this is one of, as its launcher set it; 1 without a launcher."""
    return int(os.environ.get(SIZE, "1"))


def launch(words: Sequence[str], processes: int) -> int:
    """Run `swinkit WORDS` as several processes, and return the exit code: that of the first that failed.

    Signals that ask to stop are passed on to all; if one process fails, the others are ended.

    Raises:
        UsageError: this is itself one of several processes that something else has started.
    """
    if RANK in os.environ:
        raise UsageError(
            f"--processes {processes} was given to one of {process_count()} processes that torchrun, "
            "accelerate or the like has started; leave it out there, or start `swinkit` by itself"
        )
    command, environment = [sys.executable, "-m", "swinkit", *words], rendezvous(processes)
    lifeline, ours = os.pipe()  # nothing is written to it: it closes with this process, however that ends
    try:
        with received_signals() as received:
            children = [
                subprocess.Popen(
                    command,
                    env=environment | {RANK: str(i), "LOCAL_RANK": str(i)},
                    start_new_session=True,  # else a terminal's Ctrl-C would reach it twice
                    stdin=lifeline,
                )
                for i in range(processes)
            ]
            return wait(children, received)
    finally:
        os.close(lifeline)
        os.close(ours)


def rendezvous(processes: int) -> dict[str, str]:
    """Return the environment in which so many processes find each other, on a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = max(1, (os.cpu_count() or 1) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        SIZE: str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        LAUNCHER: str(os.getpid()),
    }


@contextmanager
def received_signals() -> Iterator[list[int]]:
    """Collect signals that ask to stop in a list; SIGHUP not where it is ignored, as under `nohup`."""
    received: list[int] = []
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if number != getattr(signal, "SIGHUP", None) or before[number] is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: received.append(number))
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(children: Sequence[subprocess.Popen[bytes]], received: list[int]) -> int:
    """Pass signals on until all processes have ended, and return the exit code.

    Once one has failed, the others would wait for it in vain, and are killed after `GRACE` seconds. After a
    stop request they are not, because they may be saving.
    """
    failed, until = 0, math.inf
    while None in (codes := [child.poll() for child in children]) and time.monotonic() < until:
        while received:
            number = received.pop(0)
            for child in children:
                child.send_signal(number)
        if not failed and (failed := first_failure(codes)) not in (0, *STOPPED):
            until = time.monotonic() + GRACE
        time.sleep(POLL)
    for child in children:
        child.kill()
        child.wait()
    # Processes that lost a peer fail as well, but a process that explained its end tells more.
    code = next((code for code in codes if code in EXPLAINED), failed or first_failure(codes))
    return code if code >= 0 else 128 - code


def first_failure(codes: Sequence[int | None]) -> int:
    """Return the first exit code of a process that did not succeed; 0 if there is none."""
    return next((code for code in codes if code), 0)


def stop_with_launcher() -> None:
    """Stop this process as by SIGTERM once the one whose `launch` started it has ended, if there is one."""
    if LAUNCHER in os.environ:
        threading.Thread(target=await_launcher, daemon=True).start()


def await_launcher() -> None:
    """Wait until the launcher's end of standard input is closed, then send this process SIGTERM."""
    while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
