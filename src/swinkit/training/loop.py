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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import torch
from torch import distributed as dist

from ..errors import EnvironmentProblem, UsageError
from ..runs.config_diff import Change
from ..runs.folder import BEST, LAST, RunFolder
from ..runs.logger import Diary
from ..runs.progress import Length, Progress
from ..runs.step_report import Reporting, Stopwatch, logged
from ..runs.trackers import Trackers, require_trackers
from ..settings.recipe import Recipe
from ..settings.run import AUTO, Run
from ..tasks.observed import Observed
from ..tasks.precision import exact_convolutions
from ..tasks.task import Task
from .batch_plan import Plan
from .blocks import unwrap_blocks
from .company import Supply, company, same_everywhere
from .ema import Average
from .evaluation import evaluated
from .exchange import agreed, first_code, take_leave
from .job import Job
from .learner import Learner
from .limits import out_of_time, refuse_divergence, refuse_more, why_over
from .memory import memory_explained
from .micro_batch import found_micro_batch
from .objective import Objective
from .optimiser import optimiser_of
from .precision import fp32_kept
from .sharding import bring_home, kept_here, placed
from .state import Trained
from .stopping import OFFSET, Signals, is_failure
from .summary import header, row

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
        EnvironmentProblem: the folder cannot be written, or something that the recipe asks for is missing.
        KeyboardInterrupt, SystemExit: it was asked to stop, or another process failed; all is saved.
    """
    run, accelerator = recipe.run, accelerated(recipe.run, folder)
    device, rank, first = accelerator.device, accelerator.process_index, accelerator.is_main_process
    signals, checkpoints = Signals(device), folder.checkpoints
    with finishing(job.task, folder, device) as ending:
        # ---- 1. Set up -----------------------------------------------------------------------------------
        changes = begin(job, recipe, folder, accelerator, signals, allow_changes=allow_changes)
        learner = set_up(job, recipe, folder, accelerator, reporting)
        plan, loader, length, trained = learner.plan, learner.loader, learner.length, learner.trained
        validation = job.validation(plan.evaluated)

        # ---- 2. Resume -----------------------------------------------------------------------------------
        with signals.together():
            progress = trained.resume(checkpoints)
            learner.set_rates(max(0, length.before(progress) - 1))  # as the last step left them
            loader.bad.meet(folder.bad_files())
        trackers = Trackers(accelerator, run.trackers, asdict(recipe), folder)
        ending.callback(trackers.close)
        diary = Diary(folder, trackers, reporting, length, device, writes=first)
        with signals.together():
            same_everywhere(progress, checkpoints.folder, device)
            progress.ended = why_over(progress, length, run)
            if first:
                folder.accept(job.config)
            lines = header(job, recipe, plan, device, folder.path, resumed=progress.updates > 0)
            if run.sharding == "full":
                lines.append(row("shared out", f"{kept_here(trained.task):,} parameters in this process"))
            diary.open(job.title, lines, job.notes, progress, changes)
        for kept in (exact_convolutions(), fp32_kept(trained.task), signals):
            ending.enter_context(kept)

        while not progress.ended:
            # ---- 3. Step ---------------------------------------------------------------------------------
            trained.task.train()
            start, watch = progress.step * plan.group, Stopwatch()
            batches = Supply(loader.micro_batches(progress.epoch, start, rank, plan.ranks), signals)
            with watch.waiting():
                stop = batches.begin()
            while not (stop or length.is_due_or_epoch_over(progress) or out_of_time(progress, run)):
                learner.set_rates(length.before(progress))
                loss, norm = learner.gradient(batches, progress, watch)
                loss, seconds, stop, news = agreed(loss, watch.lap(), signals.code, loader.bad.news(), device)
                if is_failure(stop):  # some process took part without what it should have read
                    learner.optimiser.zero_grad()
                    break
                finite = math.isfinite(loss) and math.isfinite(norm)
                progress.count(loss, seconds, finite=finite)
                learner.update(progress, finite=finite)
                with signals.held():
                    tell_step(learner, diary, progress, watch, loss, norm)
                    if news:
                        loader.bad.meet(folder.bad_files())
                # Also before an evaluation, and between two epochs.
                if progress.updates % run.save_every == 0 or length.is_due_or_epoch_over(progress):
                    with signals.held():
                        trained.save(checkpoints, progress, writes=first)

            if not (stop or length.is_due(progress) or out_of_time(progress, run)):
                progress.begin_epoch()
                continue

            # ---- 4. Evaluate -----------------------------------------------------------------------------
            with learner.averaged():
                observed, stop = (None, stop) if stop else evaluated(trained.task, validation, signals)

                # ---- 5. Save -----------------------------------------------------------------------------
                if observed is not None:
                    with signals.held():
                        finish_evaluation(learner, job, folder, diary, progress, observed)
            with signals.held():  # unless this process failed: what it did not write is to happen once more
                trained.save(checkpoints, progress, writes=first and signals.error is None)
                if stop and not is_failure(stop):
                    diary.stopped(progress, stop - OFFSET)
            stop = first_code(signals.failed or stop, device)
            if stop:
                signals.leave(stop)
    return progress


def begin(
    job: Job,
    recipe: Recipe,
    folder: RunFolder,
    accelerator: "Accelerator",
    signals: Signals,
    *,
    allow_changes: bool,
) -> list[Change]:
    """Take the run's folder, if the training can be cut into steps; what has changed since it began.

    Raises:
        DataError: there are fewer samples than one batch; nothing is written then.
        UsageError: the warm-up is as long as the training, or the folder holds another training, or another
            process trains in it.
        EnvironmentProblem: the folder cannot be written.
    """
    plan = Plan.of(recipe.run, accelerator.num_processes)
    recipe.schedule.require_fits(plan.steps(job.loader(plan.micro_batch)))
    changes: list[Change] = []
    with signals.together():
        if accelerator.is_main_process:
            changes = folder.begin(job.config, allow_changes=allow_changes)
            folder.forget_bad_files(changes)
    return changes


def set_up(
    job: Job, recipe: Recipe, folder: RunFolder, accelerator: "Accelerator", reporting: Reporting
) -> Learner:
    """Find the micro-batch, place the task, and put beside it what learning takes.

    Raises:
        EnvironmentProblem: not even one sample at a time fits into memory.
    """
    run, device = recipe.run, accelerator.device
    if run.micro_batch == AUTO:
        if accelerator.is_main_process:
            reporting("finding how many samples at a time fit into memory")
        size = found_micro_batch(job, recipe, folder, device, accelerator.autocast)
        run = replace(run, micro_batch=size)
    plan = Plan.of(run, accelerator.num_processes)
    loader = job.loader(plan.micro_batch)
    loader.bad.listing = folder.bad_file(accelerator.process_index)
    task = placed(job.task, device, run)
    bare = optimiser_of(task, recipe.optimiser)
    average = Average(task, run.ema) if run.ema else None
    sharded = task is not job.task  # and so kept together by itself: FSDP2 in place of DDP
    return Learner(
        recipe=recipe,
        plan=plan,
        length=Length.of(recipe, plan.steps(loader)),
        loader=loader,
        trained=Trained(task, bare, average, accelerator.scaler),
        objective=accelerator.prepare_model(Objective(task), device_placement=False, evaluation_mode=sharded),
        optimiser=accelerator.prepare_optimizer(bare),
        peaks=tuple(group["lr"] for group in bare.param_groups),
        host=accelerator,
        device=device,
    )


def tell_step(
    learner: Learner, diary: Diary, progress: Progress, watch: Stopwatch, loss: float, norm: float
) -> None:
    """Write down a step, and the samples of one that was not taken.

    Raises:
        DataError: too many in a row were not.
        EnvironmentProblem: the folder cannot be written.
    """
    if progress.skipped_in_row:
        samples = learner.plan.ids(learner.loader, progress.epoch, progress.step - 1)
        diary.skipped(progress, loss, norm, samples)
        refuse_more(progress, learner.recipe.run)
    diary.step(progress, loss, learner.rate, watch)


def finish_evaluation(
    learner: Learner, job: Job, folder: RunFolder, diary: Diary, progress: Progress, observed: Observed
) -> None:
    """Write down the scores, the models, and pictures if this evaluation is the best so far.

    Raises:
        DataError: no held-out picture has a finite answer.
        EnvironmentProblem: the folder cannot be written.
    """
    bring_home(learner.trained.task, job.task)
    scores = job.task.scores(observed)
    loss, score = progress.mean_loss(), next(iter(scores.values()))
    better = progress.finish_evaluation(score)
    if learner.length.schedule.unit == "epoch" or progress.step >= learner.length.steps:
        progress.begin_epoch()
    progress.ended = why_over(progress, learner.length, learner.recipe.run)
    diary.evaluated(progress, loss, learner.rate, scores, bad=len(learner.loader.bad.found))
    refuse_divergence(progress, learner.length, observed)
    if not diary.writes:
        return
    best = better or not (folder.path / BEST).exists()
    for name in (BEST, LAST) if best else (LAST,):
        job.save(folder.path / name, scores)
    if better:
        job.draw(folder.path, observed)


def accelerated(run: Run, folder: RunFolder) -> "Accelerator":
    """What places, scales, synchronises and tracks; on whatever devices and processes there are.

    Raises:
        EnvironmentProblem: Accelerate or a tracker is missing, or this device cannot do the precision.
        UsageError: Accelerate is set up to shard the weights itself.
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
        atexit.register(take_leave)
    if run.precision == "fp16" and accelerator.scaler is None:
        raise EnvironmentProblem(
            f"run.precision=fp16 is for GPUs, and this trains on {accelerator.device}; try bf16 or fp32"
        )
    return accelerator


@contextmanager
def finishing(task: Task, folder: RunFolder, device: torch.device) -> Iterator[ExitStack]:
    """Afterwards what was entered is left, the folder too, and the task as it came but for its weights."""
    with ExitStack() as ending:
        ending.callback(folder.end)
        ending.callback(task.eval)
        ending.callback(unwrap_blocks, task)
        ending.enter_context(memory_explained(device))
        yield ending
