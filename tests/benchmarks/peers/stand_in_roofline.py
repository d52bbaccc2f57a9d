"""A process that claims what a machine can do: `python -m tests.benchmarks.peers.stand_in_roofline`."""

import sys
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.peers.ipc import receive, send, serve_pipe
from swinkit.errors import EnvironmentProblem


def serve(pipe: Connection, request: dict[str, Any]) -> None:
    if request["device"] == "cuda":
        raise EnvironmentProblem("there is no GPU")
    send(pipe, {"device": "cpu", "threads": request["threads"] or 2, "capability": "AVX2", "gpu": None})
    while True:
        receive(pipe)
        send(pipe, {"products": 200e9, "copies": 30e9, "products_of_one": 100e9, "copies_of_one": 15e9})


if __name__ == "__main__":
    serve_pipe(sys.argv[1:], serve)
