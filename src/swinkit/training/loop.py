"""Train one task: set up, resume, step, evaluate, save. The only file that imports Accelerate.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import DataError, EnvironmentProblem, UsageError
from ..tasks.task import Task
from .averaging import Average
from .diary import Diary
from .exchange import agreed, everyones, in_order, share
from .fitting import Trying, explained, largest_that_fits
from .job import Job, Plan
from .optimiser import optimiser_of
from .parallel import (
    Objective,
    bring_home,
    compiler_failures,
    moved,
    placed,
    seed_micro_batch,
    shortened,
    unwrap_blocks,
)
from .precision import fp32_kept
from .recipe import AUTO, Recipe, Run
from .report import Reporting, Stopwatch, logged
from .run import BEST, LAST, MICRO_BATCH, RunFolder
from .schedule import learning_rate
from .signals import Signals, leave
from .state import Progress, Trained
from .trackers import Trackers, require_trackers

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
    run = recipe.run
    accelerator = accelerated(run, folder)
    device, rank, first = accelerator.device, accelerator.process_index, accelerator.is_main_process
    plan = Plan.of(run, accelerator.num_processes)
    loader = job.loader(plan.micro_batch)
    steps = plan.steps(loader)
    changes = folder.begin(job.config, allow_changes=allow_changes) if first else ()
    if run.micro_batch == AUTO:
        if first:
            reporting("finding how many samples at a time fit into memory")
        plan = Plan.of(replace(run, micro_batch=fitting(job, recipe, folder, accelerator)), plan.ranks)
        loader = job.loader(plan.micro_batch)
    loader.bad.listing = folder.path / bad_files(rank)
    task = placed(job.task, device, run)
    bare = optimiser_of(task, recipe.optimiser)
    peaks = [group["lr"] for group in bare.param_groups]
    average = Average(task, run.ema) if run.ema else None
    shared = task is not job.task  # and so kept together by itself: FSDP2 in place of DDP
    objective = accelerator.prepare_model(Objective(task), device_placement=False, evaluation_mode=shared)
    optimiser = accelerator.prepare_optimizer(bare)
    trained = Trained(task, bare, average, accelerator.scaler)

    # ---- 2. Resume ---------------------------------------------------------------------------------------
    progress = trained.resume(folder.checkpoints)
    accelerator.wait_for_everyone()
    trackers = Trackers(accelerator, recipe, folder)
    diary = Diary(folder, reporting, recipe, steps, device, trackers, writes=first)
    diary.open(job, plan, progress, changes)

    with Signals() as signals, finishing(accelerator, task, trackers, folder):
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
                    last = turn == plan.accumulation - 1
                    with nullcontext() if last else accelerator.no_sync(objective):
                        loss = loss_of(objective, moved(batch, device), run) / plan.accumulation
                        accelerator.backward(loss)
                    total += loss.detach()
                accelerator.unscale_gradients()
                norm = shortened(task.parameters(), recipe.optimiser.clip_norm)
                mean, seconds, received = agreed(total.item(), watch.lap(), signals.received, device)
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
                if progress.updates % run.save_every == 0 and progress.step < steps:
                    trained.save(folder.checkpoints, progress, writes=first)

            # ---- 4. Evaluate -----------------------------------------------------------------------------
            with average.shown(task) if average is not None else nullcontext():
                observed = torch.empty(0)
                if not received:
                    observed, received = evaluated(job, task, device, signals)

                # ---- 5. Save -----------------------------------------------------------------------------
                if not received:
                    scores = task.scores(observed)
                    mean, score = progress.mean_loss(), next(iter(scores.values()))
                    better = progress.finish_epoch(score, run, recipe.schedule.epochs)
                    diary.epoch(progress, mean, rate_of(optimiser), scores)
                    bring_home(task, job.task)
                    for name in ((BEST, LAST) if better else (LAST,)) if first else ():
                        job.save(folder.path / name, scores)
                    if better and first:
                        job.show(folder.path, observed)
            trained.save(folder.checkpoints, progress, writes=first)
            accelerator.wait_for_everyone()
            if received:
                diary.stopped(progress, received)
                leave(received)
    return progress


def bad_files(rank: int) -> str:
    """Where a process lists the pictures that it could not read."""
    return f"bad_files-{rank}.csv" if rank else "bad_files.csv"


def accelerated(run: Run, folder: RunFolder) -> "Accelerator":
    """What places, scales, synchronises and tracks; on whatever devices and processes there are.

    Raises:
        EnvironmentProblem: Accelerate or a tracker is missing, or this device cannot do the precision.
        UsageError: Accelerate is set up to share the weights out itself.
    """
    require_trackers(run.trackers)
    for other in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{other}", "").lower() == "true":
            raise UsageError(
                f"Accelerate is set up for {other}, which is not used here; leave it out of its launch or "
                "configuration, and choose run.sharding=full"
            )
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise EnvironmentProblem("training needs Accelerate: pip install 'swinkit[train]'") from None
    # It keeps one state for the whole process; a second training in it may be in another precision.
    AcceleratorState._reset_state()  # noqa: SLF001
    precision = "no" if run.precision == "fp32" else run.precision
    # Told nothing of the CPU, it overlooks there that it is one of several processes.
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),
        log_with=list(run.trackers) or None,
        project_dir=folder.path / "tensorboard",  # of which the others make no use
    )
    if run.precision == "fp16" and accelerator.scaler is None:
        raise EnvironmentProblem(
            f"run.precision=fp16 is for GPUs, and this trains on {accelerator.device}; try bf16 or fp32"
        )
    return accelerator


def fitting(job: Job, recipe: Recipe, folder: RunFolder, accelerator: "Accelerator") -> int:
    """The micro-batch that fits into the memory of each process; once found, the run stays with it.

    Raises:
        EnvironmentProblem: not even one sample does.
    """
    device, first, ranks = accelerator.device, accelerator.is_main_process, accelerator.num_processes
    most = recipe.run.batch_size // ranks
    recorded = (folder.found(MICRO_BATCH) or 0) if first else 0
    size = int(everyones(torch.tensor(recorded), device)[0])
    if size == 0 or most % size:
        copies = (recipe.run.ema is not None) + (ranks > 1)
        trial = Trying(job, recipe, device, autocast=accelerator.autocast, copies=copies)
        size = int(everyones(torch.tensor(largest_that_fits(trial, most, device)), device).min())
        if first:
            folder.note(MICRO_BATCH, size)
            folder.log("fitted", 0, micro_batch=size)
    return size


@contextmanager
def finishing(
    accelerator: "Accelerator", task: Task, trackers: Trackers, folder: RunFolder
) -> Iterator[None]:
    """Afterwards the task is as it came, but for its weights, and the trackers and processes part."""
    try:
        with fp32_kept(task), explained(accelerator.device):
            yield
    finally:
        trackers.close()
        unwrap_blocks(task)
        task.eval()
        accelerator.end_training()
        folder.end()


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


@torch.no_grad()
def evaluated(job: Job, task: Task, device: torch.device, signals: Signals) -> tuple[Tensor, int]:
    """What is observed of all validation data, in fp32, as `swinkit evaluate` does; and a signal, or 0.

    The processes share the batches, and each knows the rows of all: so each knows without asking whether to
    stop early. Asked to stop, all do after the same batch, and what was observed by then is of no use.
    """
    task.eval()
    last = len(job.validation) - 1
    numbers, observed = share(len(job.validation)), []
    batches = job.validation.batches([min(number, last) for number in numbers])
    for number, batch in zip(numbers, batches, strict=True):
        rows = task.observe(moved(batch, device))
        observed.append(rows if number <= last else rows[:0])  # seen for the company alone
        _, _, received = agreed(0.0, 0.0, signals.received, device)
        if received:
            return torch.cat(observed), received
    return in_order(numbers, observed, device), 0


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
