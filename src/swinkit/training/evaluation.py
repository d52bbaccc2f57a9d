"""The evaluation of a task on all held-out data; each process computes some of the batches."""

from collections.abc import Iterator
from typing import Any

import torch

from ..data.loader import InOrder
from ..tasks.observed import Observed
from ..tasks.task import Task
from .distributed import allotted, first_code, observed_by_all
from .stopping import Signals, Supply


@torch.no_grad()
def evaluated(task: Task, validation: InOrder[Any], signals: Signals) -> tuple[Observed | None, int]:
    """Return the observation of `task` on all batches, in fp32 as `swinkit evaluate`, and 0.

    Each process gets what all observed, and so knows without asking whether to stop early. If one fails or is
    asked to stop, all stop after the same batch, and return None and the exit code to leave with.
    """
    task.eval()
    last = len(validation) - 1
    numbers = allotted(len(validation))
    found = validation.batches([min(number, last) for number in numbers])
    batches = Supply(zip(numbers, found, strict=True), signals)
    stop = batches.begin()

    def parts() -> Iterator[Observed]:
        nonlocal stop
        for _ in () if stop else numbers:
            number, batch = batches.next()
            part = task.observe(batch.to(signals.device))
            stop = first_code(signals.code, signals.device)
            if stop:  # this part may be of a batch that stands in for one that cannot be read
                return
            if number <= last:  # past it, a batch is computed only so that all processes do the same
                yield part.at(number * validation.size)

    observed = Observed.sum(parts())
    return (None, stop) if stop else (observed_by_all(observed, signals.device), 0)
