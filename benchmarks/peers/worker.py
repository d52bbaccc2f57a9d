"""The process of one candidate and one case.

It builds the candidate, makes the first calls, and then answers requests: {"calls": n} -> {"seconds": [...]},
{"verify": true} -> {"difference": x}. It ends when the pipe is closed.
"""

import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from swinkit.engine.peak_memory import PeakMemory

from .builders import BUILDERS, Environment
from .cases import Case
from .ipc import receive, send, serve_pipe
from .verification import relative_difference
from .workload import synchronize

FIRST_CALLS = 2  # a training step has all its memory only in the second
STEADY = 0.05  # relative difference of two calls in a row below which a candidate is warm
WARM_UP_LIMIT = 10.0  # seconds
SHORT = 1.0  # seconds; before shorter calls an untimed one refills the CPU's caches


class Worker:
    """One candidate and one case."""

    def __init__(self, candidate: str, case: Case, environment: Environment):
        torch.set_num_threads(environment.threads)
        self.case = case
        self.built = BUILDERS[candidate](case, environment)
        peak = PeakMemory(case.device)
        self.results = [self.built.call().clone() for _ in range(FIRST_CALLS)]
        self.memory = peak.stop()
        self.last = self.warm_up()

    def time_call(self) -> float:
        """Return the seconds of one call."""
        start = time.perf_counter()
        self.built.call()
        synchronize(self.case.device)
        return time.perf_counter() - start

    def warm_up(self) -> float:
        """Call until the time is steady; return the seconds of the last call."""
        start, before, last = time.perf_counter(), 0.0, self.time_call()
        while abs(last - before) > STEADY * last and time.perf_counter() - start < WARM_UP_LIMIT:
            before, last = last, self.time_call()
        return last

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        if "verify" in request:
            if not self.built.comparable:
                return {"difference": None}
            return {"difference": relative_difference(self.results, self.case, self.built.dialect)}
        if self.last < SHORT:
            self.time_call()
        seconds = [self.time_call() for _ in range(request["calls"])]
        self.last = seconds[-1]
        return {"seconds": seconds}


def serve(pipe: Connection, request: dict[str, Any]) -> None:
    """Build the candidate of the request, then answer until the pipe is closed."""
    case = Case(**{**request["case"], "size": tuple(request["case"]["size"])})
    worker = Worker(request["candidate"], case, Environment(request["threads"], Path(request["cache"])))
    send(pipe, {"memory": worker.memory, "seconds": worker.last})
    while True:
        send(pipe, worker.answer(receive(pipe)))


if __name__ == "__main__":
    serve_pipe(sys.argv[1:], serve)
