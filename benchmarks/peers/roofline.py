"""The roofline of the machine: a process that measures matrix products and copies on request.

No model is faster than its operations at the rate of the products, nor than its reads and writes at that of
the copies. The fastest call counts, because this is a bound. It is measured again after each case, because
a shared machine may be slow at first.
"""

import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from swinkit.errors import EnvironmentProblem

from .ipc import receive, send, serve_pipe
from .workload import synchronize

SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}  # of square matrices
COPIED = {"cpu": 2**26, "cuda": 2**29}  # numbers of four bytes, more than any cache holds
SECONDS = 0.4  # of each measurement


def fastest(call: Callable[[], object], device: str) -> float:
    """Return the seconds of the fastest of many calls."""
    call()
    end, best = time.perf_counter() + SECONDS, float("inf")
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def product_rate(device: str) -> float:
    """Return the operations a second of the best matrix product: fp32 on a CPU, bf16 on a GPU."""
    rates = []
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    for side in SIDES[device]:
        left, right, out = (torch.full((side, side), 0.5, device=device, dtype=dtype) for _ in range(3))
        seconds = fastest(lambda left=left, right=right, out=out: torch.mm(left, right, out=out), device)
        rates.append(2 * side**3 / seconds)
    return max(rates)


def copy_rate(device: str) -> float:
    """Return the bytes a second that a copy reads and writes."""
    source = torch.zeros(COPIED[device], device=device)
    target = torch.ones_like(source)
    return 2 * source.nbytes / fastest(lambda: target.copy_(source), device)


def measure_roofline(device: str) -> dict[str, float]:
    """Return the rates; on a CPU also those of one thread."""
    rates = {"products": product_rate(device), "copies": copy_rate(device)}
    if device == "cpu":
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        rates |= {"products_of_one": product_rate(device), "copies_of_one": copy_rate(device)}
        torch.set_num_threads(threads)
    return rates


def serve(pipe: Connection, request: dict[str, Any]) -> None:
    """Send the facts of the device, then measure each time a message arrives.

    Raises:
        EnvironmentProblem: there is no such device.
    """
    if request["threads"]:
        torch.set_num_threads(request["threads"])
    device = request["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
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
        receive(pipe)
        send(pipe, measure_roofline(device))


if __name__ == "__main__":
    serve_pipe(sys.argv[1:], serve)
