"""Growth of a process that answers inputs of random sizes: `python -m benchmarks.many_sizes`.

Each way runs in a process of its own: swin-t with its tables bounded as by default, and with room for none,
and torchvision's swin-t, which keeps no tables. What grows in all of them is what torch's allocation leaves
in pieces. The last columns time one size, repeated, with its tables kept and made anew at every call. Linux.
"""

import argparse
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch
from torch import nn

WAYS = {"64 MB (default)": "64", "0 MB": "0", "torchvision": ""}
SIDES = 25, 225  # in patches of 4 pixels
CALLS = 11  # of the repeated size


def main() -> None:
    """Measure every way and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="inputs of random sizes")
    inputs = parser.parse_args().inputs
    print("| tables | growth, MB | of it tables, MB | 480x640 again, ms | with tables made anew, ms |")
    print("|---|---|---|---|---|")
    for name, room in WAYS.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            cells = process.submit(measure, room, inputs).result()
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure(room: str, inputs: int) -> list[str]:
    """Return the cells of one way."""
    torch.set_num_threads(1)
    model, tables = build(room)
    draws = random.Random(0)
    with torch.inference_mode():
        model(torch.randn(1, 3, 900, 900))
        before = resident()
        for _ in range(inputs):
            height, width = (4 * draws.randint(*SIDES) for _ in range(2))
            model(torch.randn(1, 3, height, width))
        growth, kept = resident() - before, sum(map(bytes_of, tables.values()))
        again, anew = timed(model, tables, clear=False), timed(model, tables, clear=True)
    own = (
        [f"{kept / 1e6:.0f}", f"{again * 1e3:.0f}", f"{anew * 1e3:.0f}"]
        if room
        else ["-", f"{again * 1e3:.0f}", "-"]
    )
    return [f"{growth / 1e6:.0f}", *own]


def build(room: str) -> tuple[nn.Module, dict]:
    """Return swin-t and its cached tables; torchvision's if there is no room stated."""
    if not room:
        from torchvision.models import swin_t

        return swin_t().eval(), {}
    os.environ["SWINKIT_TABLES_MB"] = room
    import swinkit
    from swinkit.core.fast.cache import TABLES

    return swinkit.backbone("swin-t").eval(), TABLES


def bytes_of(table: object) -> int:
    """Return the bytes of a cached table."""
    from swinkit.core.fast.cache import bytes_of

    return bytes_of(table)


def timed(model: nn.Module, tables: dict, *, clear: bool) -> float:
    """Return the median seconds of one size, with its tables kept or made anew at every call."""
    pixels, seconds = torch.randn(1, 3, 480, 640), []
    for _ in range(CALLS):
        if clear:
            tables.clear()
        began = time.perf_counter()
        model(pixels)
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])


def resident() -> int:
    """Return the bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
