"""Automatic micro-batch: the largest that fits into memory, found at the start and kept for the run.

An accelerator reports when its memory is full, so there the whole share of a process is tried first, and half
of it after each refusal. An operating system kills a process that takes too much, so on the CPU a few samples
are tried, twice as many each time, until it is clear how much one takes; how many fit into the free memory
follows. What is tried is a batch of the largest samples.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..engine.peak_memory import reset_peak, resident_size
from ..errors import EnvironmentProblem
from ..runs.folder import RunFolder
from ..settings.recipe import Recipe
from .distributed import all_gather, rank, world_size
from .freezing import begin_training
from .job import Job
from .parallelize import unwrap_blocks, wrap_blocks
from .param_groups import optimiser_of
from .precision import fp32_kept
from .step import Objective

MICRO_BATCH = "micro_batch"  # its name among what is found of a run
SPARE = 0.1  # of an accelerator's memory, that is left for what trials do not show
USED = 0.8  # of the memory that is free, that a training may take
NOTICEABLE = 64 * 2**20  # bytes: growth of the memory that is no accident
PER_MACHINE = "LOCAL_WORLD_SIZE"  # in the environment: processes on this machine, which share its memory

Trial = Callable[[int], None]  # computes with so many samples at a time
Autocast = Callable[..., AbstractContextManager[object]]
LIMITS = {  # of a control group, and what it uses: in the second version of their interface, and in the first
    "": ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}
REFUSALS = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED")


def find_micro_batch(
    job: Job, recipe: Recipe, folder: RunFolder, device: torch.device, autocast: Autocast
) -> int:
    """Return the micro-batch that fits into the memory of each process; once found, the run stays with it.

    Raises:
        EnvironmentProblem: not even one sample does.
    """
    first, most = rank() == 0, recipe.run.batch_size // world_size()
    recorded = (folder.found(MICRO_BATCH) or 0) if first else 0
    size = int(all_gather(torch.tensor(recorded, device="cpu"), device)[0])
    if size == 0 or most % size:
        copies = (recipe.run.ema is not None) + (world_size() > 1)
        trial = MemoryTrial(job, recipe, device, autocast=autocast, copies=copies)
        largest = torch.tensor(largest_that_fits(trial, most, device), device="cpu")
        size = int(all_gather(largest, device).min())
        if first:
            folder.note(MICRO_BATCH, size)
            folder.log("fitted", 0, micro_batch=size)
    return size


def largest_that_fits(trial: Trial, most: int, device: torch.device) -> int:
    """Return the largest of `most` samples and its divisors that fits into the memory of `device`.

    Raises:
        EnvironmentProblem: not even one sample fits, or this system does not report how much memory is used.
    """
    return estimate_size(trial, most) if device.type == "cpu" else try_sizes(trial, most, device)


def try_sizes(trial: Trial, most: int, device: torch.device) -> int:
    """Return the largest size that fits, by trying from the largest downwards.

    Raises:
        EnvironmentProblem: not even one sample fits.
    """
    for size in halvings(most):
        try:
            spare = reserve_memory(device)
            trial(size)
        except RuntimeError as error:
            if not is_full(error):
                raise
        else:
            return size
        finally:
            spare = None  # noqa: F841  so that it is freed, with all that the trial left
            gc.collect()
            if device.type != "cpu":
                torch.accelerator.empty_cache()
    raise EnvironmentProblem(
        f"not even one sample at a time fits into the memory of {device}; try run.checkpointing=true, "
        "run.precision=bf16, a smaller data.size or a smaller variant"
    )


def halvings(most: int) -> Iterator[int]:
    """Yield `most`, then its largest divisor that is at most half of the last, and so on: 12, 6, 3, 1."""
    size = most
    while size >= 1:
        yield size
        size = next((part for part in range(size // 2, 0, -1) if most % part == 0), 0)


def reserve_memory(device: torch.device) -> Tensor | None:
    """Reserve memory during a trial, on devices that report how much they have."""
    if device.type != "cuda":
        return None
    _, total = torch.cuda.mem_get_info(device)
    return torch.empty(int(SPARE * total), dtype=torch.uint8, device=device)


def estimate_size(trial: Trial, most: int) -> int:
    """Return the largest size that fits, by the memory that a few samples take and that is free.

    Raises:
        EnvironmentProblem: this system does not report how much memory is used.
    """
    size, fewer, last, now = 1, 0, 0, peak(partial(trial, 1))
    while size < most and (fewer == 0 or now - last < NOTICEABLE):
        size, fewer, last = min(2 * size, most), size, now
        now = peak(partial(trial, size))
    each = max(1.0, (now - last) / (size - fewer))  # bytes of a sample
    room = USED * available() / int(os.environ.get(PER_MACHINE, "1")) + resident_size("VmRSS") - now
    largest = size + max(0.0, room) / each  # what ran has fitted
    return max(part for part in range(1, most + 1) if most % part == 0 and part <= largest)


class MemoryTrial:
    """Two training steps with a given micro-batch; afterwards weights and random numbers are as before.

    Two steps, of two micro-batches each, so that the optimiser's state and a gradient exist already when most
    memory is needed. Uncompiled, because compiling takes long and compiled blocks take no more. `copies` is
    how many more copies of the weights the training holds: the EMA, and gradients sent to other ranks.
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
        """Take two steps on the micro-batch of the largest samples."""
        task = self.job.task
        begin_training(task)
        beside = [[weight.detach().clone() for weight in task.parameters()] for _ in range(self.copies)]
        objective, optimiser = Objective(task), optimiser_of(task, self.recipe.optimiser)
        batch = self.job.loader(size).largest_micro_batch().to(self.device)
        for _ in range(2):
            for _ in range(2):
                with self.autocast():
                    loss = objective(batch)
                loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        del beside


def peak(work: Callable[[], None]) -> int:
    """Return the most bytes that this process has in memory during `work`.

    Raises:
        EnvironmentProblem: this system does not report it.
    """
    try:
        reset_peak()
    except OSError as error:
        raise EnvironmentProblem(
            f"run.micro_batch=auto cannot see how much memory is used on this system ({error.strerror}); "
            "give a number"
        ) from None
    work()
    return resident_size("VmHWM")


def available() -> int:
    """Return the bytes that this process can still have, of the machine and within its control groups."""
    table = Path("/proc/meminfo").read_text(encoding="ascii")
    lines = dict(line.split(":", 1) for line in table.splitlines())
    return min([int(lines["MemAvailable"].split()[0]) * 1024, *left_in_groups()])


def left_in_groups() -> Iterator[int]:
    """Yield the bytes that each control group around this process leaves it."""
    groups = Path("/proc/self/cgroup")
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers in LIMITS:
            root = Path("/sys/fs/cgroup") / controllers
            group = root / path.lstrip("/")
            for place in (group, *group.parents):
                limit, used = (read_limit(place / name) for name in LIMITS[controllers])
                if limit is not None and used is not None:
                    yield max(0, limit - used)
                if place == root:
                    break


def read_limit(file: Path) -> int | None:
    """Return the number in a file of a control group; None if there is no file, or no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def is_full(error: RuntimeError) -> bool:
    """Return whether an accelerator's memory is full, also if one of its libraries reports it."""
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in REFUSALS)


@contextmanager
def explain_full_memory(device: torch.device) -> Iterator[None]:
    """Turn a full memory into one line.

    Raises:
        EnvironmentProblem: an accelerator's memory was full inside.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        raise EnvironmentProblem(
            f"the memory of {device} is full; try run.micro_batch=auto, run.checkpointing=true or "
            "run.precision=bf16 (--allow-changes goes on with them)"
        ) from None
