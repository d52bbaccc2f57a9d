"""Train one task: set up, resume, step, evaluate, save. The only file that imports Accelerate.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import DataError, EnvironmentProblem
from ..tasks.task import Task
from .averaging import Average
from .diary import Diary
from .job import Job, Plan
from .optimiser import adamw
from .parallel import Objective, compiler_failures, moved, seed_micro_batch, unwrap_blocks, wrap_blocks
from .recipe import Recipe, Run
from .report import Reporting, Stopwatch, logged
from .run import BEST, LAST, RunFolder
from .schedule import learning_rate
from .signals import Signals, leave
from .state import Progress, Trained

if TYPE_CHECKING:
    from accelerate import Accelerator


def train(
    job: Job, recipe: Recipe, folder: RunFolder, *, allow_changes: bool = False, reporting: Reporting = logged
) -> Progress:
    """Train `job` as `recipe` says, from wherever `folder` left off; how far it has come in the end.

    Raises:
        DataError: too many steps in a row are not finite, a sample cannot be read, or no checkpoint is whole.
        UsageError: the folder holds another training.
        EnvironmentProblem: the folder cannot be written, Accelerate is missing, or the machine lacks what
            the recipe asks for.
        KeyboardInterrupt, SystemExit: it was asked to stop, and has saved what it needs to go on.
    """
    # ---- 1. Set up ---------------------------------------------------------------------------------------
    run, task = recipe.run, job.task
    accelerator = accelerated(run)
    device, rank, first = accelerator.device, accelerator.process_index, accelerator.is_main_process
    plan = Plan.of(run, accelerator.num_processes)
    loader = job.loader(plan.micro_batch)
    steps = plan.steps(loader)
    if first:
        folder.begin(job.config, allow_changes=allow_changes)
    loader.bad.listing = folder.path / bad_files(rank)
    task.to(device)
    wrap_blocks(task, checkpointing=run.checkpointing, compiling=run.compile)
    optimiser = adamw(task, recipe.optimiser)
    peaks = [group["lr"] for group in optimiser.param_groups]
    average = Average(task, run.ema) if run.ema else None
    objective, optimiser = accelerator.prepare(Objective(task), optimiser)
    trained = Trained(task, optimiser.optimizer, average, accelerator.scaler)

    # ---- 2. Resume ---------------------------------------------------------------------------------------
    progress = trained.resume(folder.checkpoints)
    accelerator.wait_for_everyone()
    diary = Diary(folder, reporting, recipe, steps, device, writes=first)
    diary.open(job.title, progress)

    with Signals() as signals, finishing(accelerator, task):
        while not progress.ended:
            # ---- 3. Step ---------------------------------------------------------------------------------
            task.train()
            epoch, received, watch = progress.epoch, 0, Stopwatch()
            batches = loader.micro_batches(epoch, progress.step * plan.group, rank, plan.ranks)
            while progress.step < steps and not received and not progress.out_of_time(run):
                for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                    group["lr"] = learning_rate(epoch * steps + progress.step, steps, peak, recipe.schedule)
                total = torch.zeros((), device=device)
                for turn in range(plan.accumulation):
                    with watch.waiting():
                        number, batch = next(batches)
                    seed_micro_batch(run.seed, epoch, number)
                    whole = turn == plan.accumulation - 1
                    with nullcontext() if whole else accelerator.no_sync(objective):
                        loss = loss_of(objective, moved(batch, device), run) / plan.accumulation
                        accelerator.backward(loss)
                    total += loss.detach()
                norm = clipped(accelerator, task, recipe.optimiser.clip_norm)
                mean, seconds, received = agreed(accelerator, total.item(), watch.lap(), signals.received)
                finite = math.isfinite(mean) and math.isfinite(norm)
                if finite or accelerator.scaler is not None:  # a scaler skips by itself, and learns from it
                    optimiser.step()
                optimiser.zero_grad()
                progress.count(mean, seconds, finite=finite)
                if finite and average is not None:
                    average.update(task, progress.updates)
                if not finite:
                    diary.skipped(progress, mean, norm, plan.ids(loader, epoch, progress.step - 1))
                    refuse_more(progress, run)
                diary.step(progress, mean, rate_of(optimiser), watch)
                if first and progress.updates % run.save_every == 0 and progress.step < steps:
                    trained.save(folder.checkpoints, progress)

            # ---- 4. Evaluate -----------------------------------------------------------------------------
            with average.shown(task) if average is not None else nullcontext():
                scores = {} if received else evaluated(job, device, signals)
                _, _, received = agreed(accelerator, 0.0, 0.0, received or signals.received)

                # ---- 5. Save -----------------------------------------------------------------------------
                if not received:
                    mean, score = progress.mean_loss(), next(iter(scores.values()))
                    better = progress.finish_epoch(score, run, recipe.schedule.epochs)
                    diary.epoch(progress, mean, rate_of(optimiser), scores)
                    for name in ((BEST, LAST) if better else (LAST,)) if first else ():
                        job.save(folder.path / name, scores)
            if first:
                trained.save(folder.checkpoints, progress)
            accelerator.wait_for_everyone()
            if received:
                diary.stopped(progress, received)
                leave(received)
    return progress


def bad_files(rank: int) -> str:
    """Where a process lists the pictures that it could not read."""
    return f"bad_files-{rank}.csv" if rank else "bad_files.csv"


def accelerated(run: Run) -> "Accelerator":
    """What places, scales and synchronises; on whatever devices and processes there are.

    Raises:
        EnvironmentProblem: Accelerate is missing, or this device cannot do the precision.
    """
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise EnvironmentProblem("training needs Accelerate: pip install 'swinkit[train]'") from None
    # It keeps one state for the whole process; a second training in it may be in another precision.
    AcceleratorState._reset_state()  # noqa: SLF001
    precision = "no" if run.precision == "fp32" else run.precision
    # Told nothing of the CPU, it overlooks there that it is one of several processes.
    accelerator = Accelerator(mixed_precision=precision, cpu=not torch.accelerator.is_available())
    if run.precision == "fp16" and accelerator.scaler is None:
        raise EnvironmentProblem(
            f"run.precision=fp16 is for GPUs, and this trains on {accelerator.device}; try bf16 or fp32"
        )
    return accelerator


@contextmanager
def finishing(accelerator: "Accelerator", task: Task) -> Iterator[None]:
    """Afterwards the task is as it came, but for its weights, and the processes part."""
    try:
        yield
    finally:
        unwrap_blocks(task)
        task.eval()
        accelerator.end_training()


def loss_of(objective: torch.nn.Module, batch: object, run: Run) -> Tensor:
    """The sum of the task's losses, in the recipe's precision.

    Raises:
        EnvironmentProblem: compiling failed, as it does without a C++ compiler.
    """
    try:
        return objective(batch)
    except compiler_failures(run.compile) as error:
        reason = str(error).splitlines()[0]
        raise EnvironmentProblem(
            f"run.compile needs a C++ compiler, such as g++, or must be left out: {reason}"
        ) from None


def clipped(accelerator: "Accelerator", task: Task, most: float) -> float:
    """Shorten the gradient to `most`; how long it was."""
    norm = accelerator.clip_grad_norm_(task.parameters(), most)
    assert isinstance(norm, Tensor)
    return norm.item()


def agreed(
    accelerator: "Accelerator", loss: float, seconds: float, received: int
) -> tuple[float, float, int]:
    """The mean loss, the longest time and the signal, if any, of all processes; the same in each."""
    own = torch.tensor([[loss, seconds, received]], dtype=torch.float64, device=accelerator.device)
    everyone = accelerator.gather(own)
    assert isinstance(everyone, Tensor)
    losses, times, signals = everyone.T
    return losses.mean().item(), times.max().item(), int(signals.max())


@torch.no_grad()
def evaluated(job: Job, device: torch.device, signals: Signals) -> dict[str, float]:
    """The scores of the whole validation set, in fp32, so that `swinkit evaluate` finds the same.

    Every process measures all of it, and so each knows without asking whether to stop early.
    Asked to stop, it does, and what it returns is of no use.
    """
    job.task.eval()
    for batch in job.validation():
        job.task.observe(moved(batch, device))
        if signals.received:
            break
    return job.task.scores()


def rate_of(optimiser: torch.optim.Optimizer) -> float:
    """The learning rate of the group that learns fastest."""
    return max(group["lr"] for group in optimiser.param_groups)


def refuse_more(progress: Progress, run: Run) -> None:
    """Stop a training whose steps come to nothing.

    Raises:
        DataError: as many as `run.bad_steps` in a row were skipped.
    """
    if progress.skipped_in_row >= run.bad_steps:
        raise DataError(
            f"{run.bad_steps} steps in a row had no finite loss and gradient, up to epoch "
            f"{progress.epoch + 1}, step {progress.step}; log.jsonl of the run lists their samples; "
            "look at these, or try a lower optimiser.lr"
        )
