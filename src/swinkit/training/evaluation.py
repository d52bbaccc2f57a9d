"""The evaluation of a task on the validation split; each rank computes some of the batches."""

from collections.abc import Iterator
from typing import Any

import torch

from ..data.loader import InOrder
from ..tasks.evaluation import sum_observed
from ..tasks.observed import Observed
from ..tasks.task import Task
from .distributed import numbers_of_rank, reduce_exit_code, sum_over_ranks
from .rank_batches import RankBatches
from .stopping import Signals


@torch.no_grad()
def observe_over_ranks(task: Task, validation: InOrder[Any], signals: Signals) -> tuple[Observed | None, int]:
    """Return what all ranks together observe by `task` of all batches, in fp32, and the exit code 0.

    If one fails or is asked to stop, all stop after the same batch, and return None and the exit code to
    leave with.
    """
    task.eval()
    last = len(validation) - 1
    numbers = numbers_of_rank(len(validation))
    read = validation.batches([min(number, last) for number in numbers])
    batches = RankBatches(zip(numbers, read, strict=True), signals)
    stop = batches.begin()

    def counted() -> Iterator[tuple[int, Any]]:
        nonlocal stop
        for _ in () if stop else numbers:
            number, batch = batches.next()
            if number > last or signals.error is not None:
                task.observe(batch.to(signals.device))  # because all ranks must compute as often
            else:
                yield number, batch
            stop = reduce_exit_code(signals.exit_code, signals.device)
            if stop:
                return

    observed = sum_observed(task, counted(), validation.size, signals.device)
    return (None, stop) if stop else (sum_over_ranks(observed, signals.device), 0)
