"""What the machine can do at most: a process that measures matrix products and copies, and ends.

No model is faster than its operations at the rate of the products, nor than its reads and writes at that of
the copies. The best of several is taken, since this is a bound; and it is measured anew beside each row, as a
machine that others use may be slow at first.
"""

import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from ..errors import EnvironmentProblem
from .messages import main, received, send
from .work import finished

SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}  # of square matrices
COPIED = {"cpu": 2**26, "cuda": 2**29}  # numbers of four bytes, more than any cache holds
SECONDS = 0.4  # for each measurement


def fastest(call: Callable[[], object], device: str) -> float:
    """Seconds of the fastest of many calls."""
    call()
    end, best = time.perf_counter() + SECONDS, float("inf")
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        finished(device)
        best = min(best, time.perf_counter() - start)
    return best


def products(device: str) -> float:
    """Operations a second of the best matrix product; fp32 on a CPU, bf16 on a GPU."""
    rates = []
    for side in SIDES[device]:
        one, other, out = (
            torch.zeros(side, side, device=device, dtype=precision(device)) + 0.5 for _ in range(3)
        )
        seconds = fastest(lambda one=one, other=other, out=out: torch.mm(one, other, out=out), device)
        rates.append(2 * side**3 / seconds)
    return max(rates)


def copies(device: str) -> float:
    """Bytes a second, read and written."""
    source = torch.zeros(COPIED[device], device=device)
    goal = torch.ones_like(source)
    return 2 * source.nbytes / fastest(lambda: goal.copy_(source), device)


def precision(device: str) -> torch.dtype:
    """In which the rows of a device are computed."""
    return torch.float32 if device == "cpu" else torch.bfloat16


def ceilings(device: str) -> dict[str, float]:
    """What `record.Ceiling` holds."""
    found = {"products": products(device), "copies": copies(device)}
    if device == "cpu":
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        found |= {"products_of_one": products(device), "copies_of_one": copies(device)}
        torch.set_num_threads(threads)
    return found


def serve(pipe: Connection, given: dict[str, Any]) -> None:
    """Tell what there is, then measure each time it is asked.

    Raises:
        EnvironmentProblem: the device that is `given` is not there.
    """
    if given["threads"]:
        torch.set_num_threads(given["threads"])
    device = given["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentProblem("there is no GPU that this PyTorch can use; take --device cpu")
    facts = {
        "device": device,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
    }
    send(pipe, facts)
    while True:
        received(pipe)
        send(pipe, ceilings(device))


if __name__ == "__main__":
    main(sys.argv[1:], serve)
