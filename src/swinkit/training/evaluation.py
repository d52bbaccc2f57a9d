"""What a task makes of all data held out; each process measures some of the batches."""

import torch
from torch import Tensor

from ..tasks.task import Task
from .company import Supply
from .exchange import allotted, first_code, in_order
from .job import Batches
from .stopping import Signals


@torch.no_grad()
def evaluated(task: Task, validation: Batches, signals: Signals) -> tuple[Tensor | None, int]:
    """What is observed of all batches, in fp32, as `swinkit evaluate` does: (N, M) float64, and 0.

    Each process knows the rows of all, and so without asking whether to stop early. Asked to stop, or if one
    fails, all do after the same batch: then nothing is observed, and the exit code to leave with is told.
    """
    task.eval()
    last = len(validation) - 1
    numbers, observed = allotted(len(validation)), []
    answers = validation.batches([min(number, last) for number in numbers])
    batches = Supply(zip(numbers, answers, strict=True), signals)
    stop = batches.begin()
    for _ in () if stop else numbers:
        number, batch = batches.next()
        rows = task.observe(batch.to(signals.device))
        observed.append(rows if number <= last else rows[:0])  # seen for the company alone
        stop = first_code(signals.code, signals.device)
        if stop:
            break
    return (None, stop) if stop else (in_order(numbers, observed, signals.device), 0)
