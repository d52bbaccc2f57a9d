"""Trainings in processes of their own, to be killed.

They are forked from one server that has imported torch already, since importing takes longer than training.
"""

import multiprocessing
import socket
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from .jobs import run_job

PATIENCE = 300  # seconds, for a machine that is busy with other things

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["accelerate", "tests.training.jobs"])


def started(run: Path, work: Callable[..., None] = run_job, **options: Any) -> ForkServerProcess:
    """Return a process that trains in the folder `run`, or does other work there."""
    process = context.Process(target=work, args=(str(run),), kwargs=options)
    process.start()
    return process


def started_together(
    run: Path, count: int, work: Callable[..., None] = run_job, **options: Any
) -> list[ForkServerProcess]:
    """So many processes that train together in the folder `run`, or do other work, by gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared["OMP_NUM_THREADS"] = "1"  # else Accelerate lets each take all cores, and they wait for each other
    ranks = [{"RANK": str(i), "LOCAL_RANK": str(i)} for i in range(count)]
    return [started(run, work, environment=shared | rank, **options) for rank in ranks]


def ended(process: ForkServerProcess) -> int:
    """Its exit code, once it has ended; minus the number of the signal that killed it."""
    process.join(PATIENCE)
    assert process.exitcode is not None, "it does not end"
    return process.exitcode


def steps_taken(run: Path) -> int:
    """By all processes so far, those repeated included."""
    path = Path(f"{run}.steps")
    return path.stat().st_size if path.exists() else 0


def after_steps(run: Path, process: ForkServerProcess, count: int) -> None:
    """Wait until so many steps more are taken, or the process has ended."""
    goal, until = steps_taken(run) + count, time.monotonic() + PATIENCE
    while steps_taken(run) < goal and process.is_alive():
        assert time.monotonic() < until, "it does not get on"
        time.sleep(0.002)
