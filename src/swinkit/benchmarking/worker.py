"""The process of one candidate at one row; `process` starts it and asks.

It builds what it is told, makes the first calls, and then waits on a pipe for requests, a JSON object each:
{"calls": n} -> {"seconds": [...]}, {"compare": true} -> {"difference": x}. It ends with the pipe.
"""

import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from .agreement import difference
from .builders import BUILDERS, Place
from .memory import HighWater
from .messages import main, received, send
from .rows import Row
from .work import finished

FIRST = 2  # calls: a training step has all its memory only in the second
STEADY = 0.05  # share by which two calls in a row may differ when a candidate is warm
MOST_WARM = 10.0  # seconds after which it is warm in any case
SHORT = 1.0  # seconds of a call; shorter ones are made once untimed, for caches that are this process's again


class Worker:
    """One candidate at one row."""

    def __init__(self, candidate: str, row: Row, place: Place):
        torch.set_num_threads(place.threads)
        self.row = row
        self.built = BUILDERS[candidate](row, place)
        watch = HighWater(row.device)
        self.results = [self.built.call().clone() for _ in range(FIRST)]
        self.memory = watch.reached()
        self.last = self.warmed()

    def timed(self) -> float:
        """Seconds of one call."""
        start = time.perf_counter()
        self.built.call()
        finished(self.row.device)
        return time.perf_counter() - start

    def warmed(self) -> float:
        """Call until it takes as long as the time before; the seconds of the last."""
        start, before, last = time.perf_counter(), 0.0, self.timed()
        while abs(last - before) > STEADY * last and time.perf_counter() - start < MOST_WARM:
            before, last = last, self.timed()
        return last

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What is sent back."""
        if "compare" in request:
            alone = self.built.alone
            return {"difference": None if alone else difference(self.results, self.row, self.built.library)}
        if self.last < SHORT:
            self.timed()
        seconds = [self.timed() for _ in range(request["calls"])]
        self.last = seconds[-1]
        return {"seconds": seconds}


def serve(pipe: Connection, given: dict[str, Any]) -> None:
    """Measure the candidate that is `given` for as long as it is asked."""
    row = Row(**{**given["row"], "size": tuple(given["row"]["size"])})
    worker = Worker(given["candidate"], row, Place(given["threads"], Path(given["kept"])))
    send(pipe, {"memory": worker.memory, "seconds": worker.last})
    while True:
        send(pipe, worker.answer(received(pipe)))


if __name__ == "__main__":
    main(sys.argv[1:], serve)
