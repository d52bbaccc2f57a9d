"""One command as several processes on this machine, joined as `torchrun` joins them."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import UsageError

RANK, SIZE = "RANK", "WORLD_SIZE"  # in the environment: which of several processes one is, and of how many
LOOK = 0.05  # seconds between two looks at the processes
LAUNCHER = "SWINKIT_LAUNCHER"  # in the environment: the process that started this one
STOPPED = (129, 130, 143)  # exit codes of those that were asked to stop, and did
FAILED = (1, 2, 3, 4)  # of those that failed, or another of which did
TOLD = (*FAILED[1:], *STOPPED)  # of those of which it was told why
GRACE = 10.0  # seconds that the others have to end once one has failed


def started() -> int:
    """How many processes this is one of, as whatever started them tells; 1 if nothing did."""
    return int(os.environ.get(SIZE, "1"))


def launched(words: Sequence[str], processes: int) -> int:
    """Run `swinkit WORDS` so many times; the exit code, that of the first that failed.

    Signals that ask to stop are handed on; if one process fails, the others are ended.

    Raises:
        UsageError: this is itself one of several processes that something else has started.
    """
    if RANK in os.environ:
        raise UsageError(
            f"--processes {processes} was given to one of {started()} processes that torchrun, accelerate or "
            "the like has started; leave it out there, or start `swinkit` by itself"
        )
    shared = meeting(processes)
    children: list[subprocess.Popen[bytes]] = []
    with handed_on(children, processes) as all_started:
        try:
            for i in range(processes):  # one by one, since a signal may come in between
                own = {RANK: str(i), "LOCAL_RANK": str(i)}
                children.append(child(words, shared | own))
            all_started()
            return joined(children)
        finally:
            for each in children:
                if each.stdin is not None:
                    each.stdin.close()


def meeting(processes: int) -> dict[str, str]:
    """The environment in which so many processes find each other, on a port that is free now."""
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


def child(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """One process of `swinkit WORDS`.

    In a session of its own: a terminal's Ctrl-C would reach it twice, from it and from here. The pipe is
    never written to; it ends with this process, however that ends.
    """
    command = [sys.executable, "-m", "swinkit", *words]
    return subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.PIPE)


@contextmanager
def handed_on(children: Sequence[subprocess.Popen[bytes]], processes: int) -> Iterator[Callable[[], None]]:
    """Inside, signals that ask to stop go to all `children`: those that come early, once all are started.

    That is told by calling what it gives.
    """
    early: list[int] = []

    def hand_on(number: int, _frame: FrameType | None = None) -> None:
        if len(children) < processes:
            early.append(number)
            return
        for each in children:
            each.send_signal(number)

    def all_started() -> None:
        for number in early:
            hand_on(number)

    before = {number: signal.signal(number, hand_on) for number in heard()}
    try:
        yield all_started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def joined(children: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; once one has failed, the others would wait for it in vain, and are ended.

    But not where it ended as one that was asked to stop: so were the others, and they may be saving.
    """
    while all(child.poll() in (None, 0) for child in children):
        if all(child.poll() == 0 for child in children):
            return 0
        time.sleep(LOOK)
    failed = next(code for child in children if (code := child.poll()) not in (None, 0))
    until = math.inf if failed in STOPPED else time.monotonic() + GRACE
    while any(child.poll() is None for child in children) and time.monotonic() < until:
        time.sleep(LOOK)
    codes = [child.poll() for child in children]
    for child in children:
        child.kill()
        child.wait()
    # What the others then fail with, for want of company, says less than an error that was told.
    code = next((code for code in codes if code in TOLD), failed)
    return code if code > 0 else 128 - code


def watched() -> None:
    """Where `launched` started this process: stop as by SIGTERM once that is gone, also if it was killed."""
    if LAUNCHER in os.environ:
        threading.Thread(target=outlive, daemon=True).start()


def outlive() -> None:
    """Wait for the end of the pipe."""
    while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def heard() -> list[signal.Signals]:
    """The signals to hand on; SIGHUP not where it is ignored, as under `nohup`."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    return numbers if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN else [*numbers, hangup]
