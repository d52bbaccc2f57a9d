"""Train one task: set up, resume, step, evaluate, save. The only file that imports Accelerate.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped.
"""

import atexit
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch import distributed as dist

from ..errors import EnvironmentProblem, UsageError
from ..tasks.task import Task
from .averaging import Average
from .company import Reading, company
from .diary import Diary
from .exchange import agreed, everyones, first_code, in_order, part, share
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
from .progress import Progress, refuse_more, same_everywhere
from .recipe import AUTO, Recipe, Run
from .report import Reporting, Stopwatch, logged
from .run import BEST, LAST, MICRO_BATCH, RunFolder
from .schedule import learning_rate
from .signals import OFFSET, Signals, is_failure
from .state import Trained
from .trackers import Trackers, require_trackers

if TYPE_CHECKING:
    from accelerate import Accelerator


@company()
def train(
    job: Job, recipe: Recipe, folder: RunFolder, *, allow_changes: bool = False, reporting: Reporting = logged
) -> Progress:
    """Train `job` as `recipe` says, from wherever `folder` left off; how far it has come in the end.

    Raises:
        DataError: too many steps in a row are not finite, a sample cannot be read, or no checkpoint is whole.
        UsageError: the folder holds another training.
        EnvironmentProblem: the folder cannot be written, Accelerate is missing, or the machine lacks what
            the recipe asks for.
        KeyboardInterrupt, SystemExit: it was asked to stop, or another of its processes failed and tells
            why; it has saved what it needs to go on.
    """
    run, accelerator = recipe.run, accelerated(recipe.run, folder)
    device, rank, first = accelerator.device, accelerator.process_index, accelerator.is_main_process
    signals = Signals()
    with finishing(job.task, folder, device) as ending:
        # ---- 1. Set up -----------------------------------------------------------------------------------
        plan = Plan.of(run, accelerator.num_processes)
        loader = job.loader(plan.micro_batch)
        steps = plan.steps(loader)
        with signals.held():
            changes = folder.begin(job.config, allow_changes=allow_changes) if first else []
            folder.forget_bad_files(changes)
        signals.refuse(device)
        if run.micro_batch == AUTO:
            if first:
                reporting("finding how many samples at a time fit into memory")
            plan = Plan.of(replace(run, micro_batch=fitting(job, recipe, folder, accelerator)), plan.ranks)
            loader = job.loader(plan.micro_batch)
        loader.bad.listing = folder.bad_file(rank)
        task = placed(job.task, device, run)
        bare = optimiser_of(task, recipe.optimiser)
        peaks = [group["lr"] for group in bare.param_groups]
        average = Average(task, run.ema) if run.ema else None
        shared = task is not job.task  # and so kept together by itself: FSDP2 in place of DDP
        objective = accelerator.prepare_model(Objective(task), device_placement=False, evaluation_mode=shared)
        optimiser = accelerator.prepare_optimizer(bare)
        trained = Trained(task, bare, average, accelerator.scaler)

        # ---- 2. Resume -----------------------------------------------------------------------------------
        with signals.held():
            progress = trained.resume(folder.checkpoints)
            loader.bad.meet(folder.bad_files())
        signals.refuse(device)
        trackers = Trackers(accelerator, recipe, folder)
        ending.callback(trackers.close)
        diary = Diary(folder, reporting, recipe, steps, device, trackers, writes=first)
        with signals.held():
            same_everywhere(progress, folder.checkpoints.folder, device)
            progress.ended = progress.why_over(run, recipe.schedule.epochs)
            if first:
                folder.accept(job.config)
            diary.open(job, plan, progress, changes)
        signals.refuse(device)
        ending.enter_context(fp32_kept(task))
        ending.enter_context(signals)

        while not progress.ended:
            # ---- 3. Step ---------------------------------------------------------------------------------
            task.train()
            epoch, begin, watch = progress.epoch, progress.step * plan.group, Stopwatch()
            batches = Reading(loader.micro_batches(epoch, begin, rank, plan.ranks), signals)
            with watch.waiting():
                received = batches.begin(device)
            while progress.step < steps and not received and not progress.out_of_time(run):
                for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                    group["lr"] = learning_rate(epoch * steps + progress.step, steps, peak, recipe.schedule)
                total = torch.zeros((), device=device)
                for turn in range(plan.accumulation):
                    with watch.waiting():
                        number, batch = batches.next()
                    seed_micro_batch(run.seed, epoch, number)
                    last = turn == plan.accumulation - 1
                    with nullcontext() if last else accelerator.no_sync(objective):
                        loss = loss_of(objective, moved(batch, device), run) / plan.accumulation
                        accelerator.backward(loss)
                    total += loss.detach()
                accelerator.unscale_gradients()
                norm = shortened(task.parameters(), recipe.optimiser.clip_norm)
                own = (total.item(), watch.lap(), signals.code, loader.bad.news())
                mean, seconds, received, news = agreed(*own, device)
                if is_failure(received):  # some process took part without what it should have read
                    optimiser.zero_grad()
                    break
                finite = math.isfinite(mean) and math.isfinite(norm)
                if finite or accelerator.scaler is not None:  # a scaler skips by itself, and learns from it
                    optimiser.step()
                optimiser.zero_grad()
                progress.count(mean, seconds, finite=finite)
                if finite and average is not None:
                    average.update(task, progress.updates)
                with signals.held():
                    if not finite:
                        diary.skipped(progress, mean, norm, plan.ids(loader, epoch, progress.step - 1))
                        refuse_more(progress, run)
                    diary.step(progress, mean, rate_of(optimiser), watch)
                    if news:
                        loader.bad.meet(folder.bad_files())
                if progress.updates % run.save_every == 0 and progress.step < steps:
                    with signals.held():
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
                    bring_home(task, job.task)
                    best = better or not (folder.path / BEST).exists()
                    with signals.held():
                        diary.epoch(progress, mean, rate_of(optimiser), scores)
                        for name in ((BEST, LAST) if best else (LAST,)) if first else ():
                            job.save(folder.path / name, scores)
                        if better and first:
                            job.show(folder.path, observed)
            with signals.held():  # unless this process failed: what it did not write is to happen once more
                trained.save(folder.checkpoints, progress, writes=first and signals.error is None)
                if received and not is_failure(received):
                    diary.stopped(progress, received - OFFSET)
            received = first_code(signals.failed or received, device)
            if received:
                signals.leave(received, device)
    return progress


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
    alone = not dist.is_initialized()
    # Told nothing of the CPU, it overlooks there that it is one of several processes.
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),
        log_with=list(run.trackers) or None,
        project_dir=folder.path / "tensorboard",  # of which the others make no use
    )
    if alone and dist.is_initialized():
        # Not sooner, since this process may train again, and torchrun lets it meet the others but once.
        atexit.register(part)
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
def finishing(task: Task, folder: RunFolder, device: torch.device) -> Iterator[ExitStack]:
    """Afterwards what was entered is left, the folder too, and the task as it came but for its weights."""
    with ExitStack() as ending:
        ending.callback(folder.end)
        ending.callback(task.eval)
        ending.callback(unwrap_blocks, task)
        ending.enter_context(explained(device))
        yield ending


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
    """What is observed of all validation data, in fp32, as `swinkit evaluate` does.

    And 0, or the exit code to leave with.

    The processes share the batches, and each knows the rows of all: so each knows without asking whether to
    stop early. Asked to stop, or if one fails, all do after the same batch, and nothing is observed.
    """
    task.eval()
    last = len(job.validation) - 1
    numbers, observed = share(len(job.validation)), []
    answers = job.validation.batches([min(number, last) for number in numbers])
    batches = Reading(zip(numbers, answers, strict=True), signals)
    received = batches.begin(device)
    for _ in () if received else numbers:
        number, batch = batches.next()
        rows = task.observe(moved(batch, device))
        observed.append(rows if number <= last else rows[:0])  # seen for the company alone
        received = first_code(signals.code, device)
        if received:
            break
    return (torch.empty(0), received) if received else (in_order(numbers, observed, device), 0)


def rate_of(optimiser: torch.optim.Optimizer) -> float:
    """The learning rate of the group that learns fastest."""
    return max(group["lr"] for group in optimiser.param_groups)
