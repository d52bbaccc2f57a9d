"""Comparison of two source trees, side by side: `python -m benchmarks.two_trees OLD/src NEW/src`.

For each row a process per tree builds the same model. Rounds alternate between the trees, and the tree that
goes first alternates too, so that a machine that becomes slower does so for both. A table shows the median
time of a call, the median of the paired ratios with a 95 % interval (by order statistics, which assume no
distribution), and the peak of resident memory during the first two calls above that before them. A row is
slower only if its whole interval is above 1. `--cpu` compares processor time instead of elapsed time, for a
machine that computes other things as well.

Both trees need `models.specs.VARIANTS`, `models.build.build` and `core.block.Block`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

MMAP_THRESHOLD = 2**16  # bytes from which glibc gives memory back at once, so that free memory does not count
CALL = "call\n"


@dataclass(frozen=True)
class Row:
    """One measurement: a forward without gradients, or a step of training, plain or checkpointed."""

    model: str
    size: tuple[int, ...]  # of the input, in pixels per axis
    batch: int
    work: str = "forward"


ROWS = {
    "swin-t-224-b1": Row("swin-t", (224, 224), 1),
    "swin-t-224-b8": Row("swin-t", (224, 224), 8),
    "swin-t-224-b32": Row("swin-t", (224, 224), 32),
    "swin-t-800x1333-b1": Row("swin-t", (800, 1333), 1),
    "swinv2-t-256-b1": Row("swinv2-t", (256, 256), 1),
    "video-swin-t-16x224-b1": Row("video-swin-t", (16, 224, 224), 1),
    "swin-t-224-b8-train": Row("swin-t", (224, 224), 8, "train"),
    "swin-t-224-b8-train-checkpointed": Row("swin-t", (224, 224), 8, "checkpointed"),
}


# ---- the process of one tree


def prepare(row: Row) -> Callable[[], object]:
    """Build the row's model from the tree on the path, with fixed seeds; return what is to be timed."""
    import torch
    from torch import nn
    from torch.utils.checkpoint import checkpoint

    from swinkit.core.block import Block
    from swinkit.models.build import build
    from swinkit.models.specs import VARIANTS

    torch.manual_seed(0)
    spec = VARIANTS[row.model].spec
    model, pixels = build(spec).eval(), torch.randn(row.batch, spec.in_channels, *row.size)
    if row.work == "forward":

        def forward() -> object:
            with torch.inference_mode():
                return model(pixels)[-1]

        return forward
    head, labels = nn.Linear(spec.widths[-1], 1000), torch.randint(1000, (row.batch,))
    model.train().apply(lambda module: setattr(module, "rate", 0.0) if hasattr(module, "rate") else None)
    if row.work == "checkpointed":
        for block in model.modules():
            if isinstance(block, Block):
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    optimiser = torch.optim.AdamW([*model.parameters(), *head.parameters()], fused=True)

    def step() -> None:
        optimiser.zero_grad()
        features = model(pixels)[-1].flatten(1, -2).mean(1)
        nn.functional.cross_entropy(head(features), labels).backward()
        optimiser.step()

    return step


def resident(field: str) -> int:
    """Return `VmRSS` or `VmHWM` of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def serve(name: str, threads: int, clock: Callable[[], float]) -> None:
    """Print the peak memory of a row's first two calls, then for each line of input the seconds of a call."""
    import torch

    torch.set_num_threads(threads)
    call = prepare(ROWS[name])
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back
    call()
    call()
    print(json.dumps(resident("VmHWM") - before), flush=True)
    for _ in sys.stdin:
        begin = clock()
        call()
        print(json.dumps(clock() - begin), flush=True)


# ---- the process that compares


class Worker:
    """A process that measures one row of one tree."""

    def __init__(self, tree: Path, name: str, options: list[str]):
        environment = os.environ | {"PYTHONPATH": str(tree)}
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", name, *options]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment["MALLOC_MMAP_THRESHOLD_"] = str(MMAP_THRESHOLD)
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.memory = self.read()

    def read(self) -> float:
        """Return the next number that the process prints."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"a process failed with exit code {self.process.wait()}; its output is above")
        return json.loads(line)

    def measure(self) -> float:
        """Return the seconds of one call."""
        assert self.process.stdin is not None
        self.process.stdin.write(CALL)
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


def interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median: order statistics chosen by the binomial distribution."""
    ordered, count, cut, tail = sorted(values), len(values), 0, 0.0
    while cut < count // 2 and (tail := tail + comb(count, cut) / 2**count) <= 0.025:
        cut += 1
    cut = max(0, cut - 1)
    return ordered[cut], ordered[count - 1 - cut]


def compare(trees: tuple[Path, Path], name: str, rounds: int, options: list[str]) -> str:
    """Measure one row of both trees in turn; return its line of the table."""
    workers = [Worker(tree, name, options) for tree in trees]
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for tree in (0, 1) if number % 2 == 0 else (1, 0):
            seconds[tree].append(workers[tree].measure())
    for worker in workers:
        worker.close()
    ratios = [new / old for old, new in zip(*seconds, strict=True)]
    low, high = interval(ratios)
    verdict = "slower" if low > 1 else "faster" if high < 1 else "a tie"
    times = " | ".join(f"{1000 * median(each):.1f}" for each in seconds)
    memory = " | ".join(f"{worker.memory / 1e6:.0f}" for worker in workers)
    return f"| {name} | {times} | {median(ratios):.3f} ({low:.3f}-{high:.3f}) {verdict} | {memory} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare two source trees side by side.")
    parser.add_argument("trees", nargs="*", type=Path, metavar="TREE", help="two folders that hold swinkit")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cpu", action="store_true", help="compare processor time, not elapsed time")
    parser.add_argument("--serve", choices=ROWS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(given.serve, given.threads, time.process_time if given.cpu else time.perf_counter)
    if len(given.trees) != 2:
        parser.error("expected two trees, the old and the new one")
    options = ["--threads", str(given.threads), *(["--cpu"] if given.cpu else [])]
    print("| row | old (ms) | new (ms) | new / old | old (MB) | new (MB) |\n|---|---|---|---|---|---|")
    for name in given.rows:
        trees = given.trees[0].resolve(), given.trees[1].resolve()
        print(compare(trees, name, given.rounds, options), flush=True)
    return None


if __name__ == "__main__":
    main()
