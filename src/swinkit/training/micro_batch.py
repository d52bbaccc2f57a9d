"""The largest micro-batch that fits into memory: found before a training starts, and then a fact of the run.

An accelerator says when its memory is full, so there the whole share of a process is tried first, and half
of it after each refusal. An operating system kills who takes too much, so on the CPU a few samples are tried,
twice as many each time, until it is clear what one takes; how many fit into what is free follows.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from ..errors import EnvironmentProblem
from ..runs.folder import RunFolder
from ..settings.recipe import Recipe
from .blocks import unwrap_blocks, wrap_blocks
from .exchange import everyones, processes, rank
from .job import Job
from .memory import available, is_full, peak, resident
from .objective import Objective
from .optimiser import optimiser_of
from .precision import fp32_kept

MICRO_BATCH = "micro_batch"  # its name among what is found of a run
SPARE = 0.1  # of an accelerator's memory, that is left for what trials do not show
USED = 0.8  # of the memory that is free, that a training may take
NOTICEABLE = 64 * 2**20  # bytes: growth of the memory that is no accident
PER_MACHINE = "LOCAL_WORLD_SIZE"  # in the environment: processes on this machine, which share its memory

Trial = Callable[[int], None]  # computes with so many samples at a time
Autocast = Callable[..., AbstractContextManager[object]]


def found_micro_batch(
    job: Job, recipe: Recipe, folder: RunFolder, device: torch.device, autocast: Autocast
) -> int:
    """The micro-batch that fits into the memory of each process; once found, the run stays with it.

    Raises:
        EnvironmentProblem: not even one sample does.
    """
    first, most = rank() == 0, recipe.run.batch_size // processes()
    recorded = (folder.found(MICRO_BATCH) or 0) if first else 0
    size = int(everyones(torch.tensor(recorded, device="cpu"), device)[0])
    if size == 0 or most % size:
        copies = (recipe.run.ema is not None) + (processes() > 1)
        trial = Trying(job, recipe, device, autocast=autocast, copies=copies)
        largest = torch.tensor(largest_that_fits(trial, most, device), device="cpu")
        size = int(everyones(largest, device).min())
        if first:
            folder.note(MICRO_BATCH, size)
            folder.log("fitted", 0, micro_batch=size)
    return size


def largest_that_fits(trial: Trial, most: int, device: torch.device) -> int:
    """Of `most` samples and its divisors, a largest number that fits into the memory of `device`.

    Raises:
        EnvironmentProblem: not even one sample fits, or this system does not tell how much memory is used.
    """
    return estimated(trial, most) if device.type == "cpu" else tried(trial, most, device)


def tried(trial: Trial, most: int, device: torch.device) -> int:
    """By trying, from the largest number downwards.

    Raises:
        EnvironmentProblem: not even one sample fits.
    """
    for size in halvings(most):
        try:
            spare = spared(device)
            trial(size)
        except RuntimeError as error:
            if not is_full(error):
                raise
        else:
            return size
        finally:
            spare = None  # noqa: F841  given back, with all that the trial left
            gc.collect()
            if device.type != "cpu":
                torch.accelerator.empty_cache()
    raise EnvironmentProblem(
        f"not even one sample at a time fits into the memory of {device}; try run.checkpointing=true, "
        "run.precision=bf16, a smaller data.size or a smaller variant"
    )


def halvings(most: int) -> Iterator[int]:
    """`most`, then each time its largest divisor that is at most half of the last: 12, 6, 3, 1."""
    size = most
    while size >= 1:
        yield size
        size = next((part for part in range(size // 2, 0, -1) if most % part == 0), 0)


def spared(device: torch.device) -> Tensor | None:
    """Memory that is kept from a trial, where it is known how much there is."""
    if device.type != "cuda":
        return None
    _, total = torch.cuda.mem_get_info(device)
    return torch.empty(int(SPARE * total), dtype=torch.uint8, device=device)


def estimated(trial: Trial, most: int) -> int:
    """By what a few samples take, and what is free.

    Raises:
        EnvironmentProblem: this system does not tell how much memory is used.
    """
    size, fewer, last, now = 1, 0, 0, peak(partial(trial, 1))
    while size < most and (fewer == 0 or now - last < NOTICEABLE):
        size, fewer, last = min(2 * size, most), size, now
        now = peak(partial(trial, size))
    each = max(1.0, (now - last) / (size - fewer))  # bytes of a sample
    room = USED * available() / int(os.environ.get(PER_MACHINE, "1")) + resident() - now
    largest = size + max(0.0, room) / each  # what ran has fitted
    return max(part for part in range(1, most + 1) if most % part == 0 and part <= largest)


class Trying:
    """Trains for two steps with so many samples at a time; afterwards all is as it was, random numbers too.

    Two, and of two micro-batches each, so that the optimiser's state and a gradient are there already when
    most is needed. Uncompiled, since compiling takes long and compiled blocks no more memory. `copies` is how
    often the training holds the weights beside: averages, and gradients on their way to other processes.
    """

    def __init__(
        self,
        job: Job,
        recipe: Recipe,
        device: torch.device,
        *,
        autocast: Autocast = nullcontext,
        copies: int = 0,
    ):
        self.job, self.recipe, self.device = job, recipe, device
        self.autocast, self.copies = autocast, copies

    def __call__(self, size: int) -> None:
        """Train with `size` samples at a time.

        Raises:
            DataError: there are fewer, or they cannot be read.
        """
        task = self.job.task.to(self.device)
        before = {name: value.cpu().clone() for name, value in task.state_dict().items()}
        training, devices = task.training, [] if self.device.type == "cpu" else [self.device]
        wrap_blocks(task, checkpointing=self.recipe.run.checkpointing, compiling=False)
        try:
            with fp32_kept(task), torch.random.fork_rng(devices, device_type=self.device.type):
                self.train(size)
        finally:
            unwrap_blocks(task)
            task.zero_grad()
            task.load_state_dict(before)
            task.train(training)

    def train(self, size: int) -> None:
        """Two steps on one and the same micro-batch."""
        task = self.job.task.train()
        beside = [[weight.detach().clone() for weight in task.parameters()] for _ in range(self.copies)]
        objective, optimiser = Objective(task), optimiser_of(task, self.recipe.optimiser)
        _, batch = next(self.job.loader(size).micro_batches(0))
        batch = batch.to(self.device)
        for _ in range(2):
            for _ in range(2):
                with self.autocast():
                    loss = objective(batch)
                loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        del beside
