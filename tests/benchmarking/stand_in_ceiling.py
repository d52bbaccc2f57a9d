"""A process that claims what a machine can do: `python -m tests.benchmarking.stand_in_ceiling`."""

import sys
from multiprocessing.connection import Connection
from typing import Any

from swinkit.benchmarking.messages import main, received, send
from swinkit.errors import EnvironmentProblem


def serve(pipe: Connection, given: dict[str, Any]) -> None:
    if given["device"] == "cuda":
        raise EnvironmentProblem("there is no GPU")
    send(pipe, {"device": "cpu", "threads": given["threads"] or 2, "capability": "AVX2", "gpu": None})
    while True:
        received(pipe)
        send(pipe, {"products": 200e9, "copies": 30e9, "products_of_one": 100e9, "copies_of_one": 15e9})


if __name__ == "__main__":
    main(sys.argv[1:], serve)
