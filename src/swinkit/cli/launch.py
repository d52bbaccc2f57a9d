"""One command as several processes on this machine, joined as `torchrun` joins them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from ..errors import UsageError

RANK, SIZE = "RANK", "WORLD_SIZE"  # in the environment: which of several processes one is, and of how many
LOOK = 0.05  # seconds between two looks at the processes
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = max(1, (os.cpu_count() or 1) // processes)
    shared = {"OMP_NUM_THREADS": str(threads)} | dict(os.environ)
    shared |= {SIZE: str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = [
        # In sessions of their own: a terminal's Ctrl-C would reach them twice, from it and from here.
        subprocess.Popen(
            [sys.executable, "-m", "swinkit", *words],
            env={**shared, RANK: str(i), "LOCAL_RANK": str(i)},
            start_new_session=True,
        )
        for i in range(processes)
    ]

    def hand_on(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return joined(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def joined(children: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; once one has failed, the others would wait for it in vain, and are ended."""
    while all(child.poll() in (None, 0) for child in children):
        if all(child.poll() == 0 for child in children):
            return 0
        time.sleep(LOOK)
    failed = next(code for child in children if (code := child.poll()) not in (None, 0))
    until = time.monotonic() + GRACE
    for child in children:
        try:
            child.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    return failed if failed > 0 else 128 - failed
