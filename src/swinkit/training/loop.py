"""Train one task: set up, resume, step, evaluate, save.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped. One step is in `step.py`.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import torch

from ..runs.config_diff import Change
from ..runs.folder import BEST, LAST, RunFolder
from ..runs.logger import RunLogger
from ..runs.progress import Length, Progress
from ..runs.step_report import Reporting, Stopwatch, logged
from ..runs.trackers import Trackers
from ..settings.recipe import Recipe
from ..settings.run import AUTO
from ..tasks.observed import Observed
from ..tasks.task import Task, exact_convolutions
from .accelerator import accelerator_of, synchronised
from .auto_batch import found_micro_batch, memory_explained
from .batch_plan import Plan
from .distributed import agreed, first_code, peer_failures_explained, rank, same_everywhere
from .ema import Average
from .evaluation import evaluated
from .job import Job
from .parallelize import bring_home, kept_here, place, unwrap_blocks
from .param_groups import optimiser_of
from .precision import fp32_kept
from .state import Trained
from .step import Learner, Objective
from .stopping import (
    OFFSET,
    Signals,
    Supply,
    is_failure,
    out_of_time,
    refuse_divergence,
    refuse_more,
    why_over,
)
from .summary import header, row

if TYPE_CHECKING:
    from .accelerator import Accelerator


@peer_failures_explained()
def train(
    job: Job, recipe: Recipe, folder: RunFolder, *, allow_changes: bool = False, reporting: Reporting = logged
) -> Progress:
    """Train `job` by `recipe`, from wherever `folder` left off; return how far it has come in the end.

    Raises:
        DataError: too many steps in a row are not finite, a sample cannot be read, or no checkpoint is whole.
        UsageError: the folder holds another training.
        EnvironmentProblem: the folder cannot be written, or something that the recipe asks for is missing.
        KeyboardInterrupt, SystemExit: it was asked to stop, or another process failed; all is saved.
    """
    accelerator = accelerator_of(recipe.run, folder)
    signals, first = Signals(accelerator.device), accelerator.is_main_process
    with finishing(job.task, folder, accelerator.device) as ending:
        changes = begin(job, recipe, folder, accelerator, signals, allow_changes=allow_changes)
        learner = set_up(job, recipe, folder, accelerator, reporting)
        validation = job.validation(learner.plan.evaluated)
        progress = resume(learner, folder, signals)
        trackers = Trackers(accelerator, recipe.run.trackers, asdict(recipe), folder)
        ending.callback(trackers.close)
        logger = RunLogger(folder, trackers, reporting, learner.length, accelerator.device, writes=first)
        start_logging(logger, job, learner, progress, changes, signals)
        for context in (exact_convolutions(), fp32_kept(learner.trained.task), signals):
            ending.enter_context(context)

        while not progress.ended:
            stop = train_steps(learner, folder, logger, progress, signals)
            if not stop and is_epoch_over(learner, progress):
                progress.begin_epoch()
                continue
            with learner.averaged():
                observed, stop = (
                    (None, stop) if stop else evaluated(learner.trained.task, validation, signals)
                )
                if observed is not None:
                    with signals.held():
                        finish_evaluation(learner, job, folder, logger, progress, observed)
            with signals.held():  # a process that failed does not write, so that the same happens once more
                writes = first and signals.error is None
                learner.trained.save(folder.checkpoints, progress, writes=writes)
                if stop and not is_failure(stop):
                    logger.log_stop(progress, stop - OFFSET)
            stop = first_code(signals.failed or stop, signals.device)
            if stop:
                signals.leave(stop)
    return progress


def train_steps(
    learner: Learner, folder: RunFolder, logger: RunLogger, progress: Progress, signals: Signals
) -> int:
    """Take steps until the epoch is over, an evaluation is due, the time is over, or all agree to stop.

    Return the exit code to leave with, 0 to go on.
    """
    run, plan, loader, length = learner.recipe.run, learner.plan, learner.loader, learner.length
    learner.trained.task.train()
    start, watch = progress.step * plan.group, Stopwatch()
    batches = Supply(loader.micro_batches(progress.epoch, start, rank(), plan.ranks), signals)
    with watch.waiting():
        stop = batches.begin()
    while not (stop or length.is_due_or_epoch_over(progress) or out_of_time(progress, run)):
        learner.set_rates(length.before(progress))
        loss, norm = learner.gradient(batches, progress, watch)  # batch, forward, loss, backward, clip
        loss, seconds, stop, news = agreed(loss, watch.lap(), signals.code, loader.bad.news(), signals.device)
        if is_failure(stop):  # because a process took part without the batch that it should have read
            learner.discard()
            break
        finite = math.isfinite(loss) and math.isfinite(norm)
        progress.count(loss, seconds, finite=finite)
        learner.update(progress, finite=finite)  # step
        with signals.held():
            log_step(learner, logger, progress, watch, loss, norm)
            if news:
                loader.bad.meet(folder.bad_files())
        # A checkpoint is written before an evaluation, and between two epochs, as well.
        if progress.updates % run.save_every == 0 or length.is_due_or_epoch_over(progress):
            with signals.held():
                learner.trained.save(folder.checkpoints, progress, writes=logger.writes)
    return stop


def is_epoch_over(learner: Learner, progress: Progress) -> bool:
    """Return whether the next epoch follows without an evaluation."""
    return not (learner.length.is_due(progress) or out_of_time(progress, learner.recipe.run))


def resume(learner: Learner, folder: RunFolder, signals: Signals) -> Progress:
    """Take everything from the newest checkpoint, in all processes alike; return how far it is.

    Raises:
        DataError: no checkpoint is whole, or it is of another model.
        UsageError: processes go on from different checkpoints.
    """
    with signals.together():
        progress = learner.trained.resume(folder.checkpoints)
        learner.set_rates(max(0, learner.length.before(progress) - 1))  # as the last step left them
        learner.loader.bad.meet(folder.bad_files())
    with signals.together():
        same_everywhere(progress, folder.checkpoints.folder, signals.device)
        progress.ended = why_over(progress, learner.length, learner.recipe.run)
    return progress


def start_logging(
    logger: RunLogger,
    job: Job,
    learner: Learner,
    progress: Progress,
    changes: Sequence[Change],
    signals: Signals,
) -> None:
    """Record the run from here on, and log the summary of the training.

    Raises:
        EnvironmentProblem: the folder cannot be written, or a tracker cannot begin.
    """
    recipe, folder = learner.recipe, logger.folder
    with signals.together():
        if logger.writes:
            folder.accept(job.config)
        lines = header(job, recipe, learner.plan, signals.device, folder.path, resumed=progress.updates > 0)
        if recipe.run.sharding == "full":
            lines.append(row("shared out", f"{kept_here(learner.trained.task):,} parameters in this process"))
        logger.open(job.title, lines, job.notes, progress, changes)


def begin(
    job: Job,
    recipe: Recipe,
    folder: RunFolder,
    accelerator: "Accelerator",
    signals: Signals,
    *,
    allow_changes: bool,
) -> list[Change]:
    """Take the run's folder, if the training can be cut into steps; return what has changed since it began.

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
    task = place(job.task, device, run)
    bare = optimiser_of(task, recipe.optimiser)
    average = Average(task, run.ema) if run.ema else None
    sharded = task is not job.task  # and so kept together by itself: FSDP2 in place of DDP
    return Learner(
        recipe=recipe,
        plan=plan,
        length=Length.of(recipe, plan.steps(loader)),
        loader=loader,
        trained=Trained(task, bare, average, accelerator.scaler),
        objective=synchronised(accelerator, Objective(task), sharded=sharded),
        optimiser=accelerator.prepare_optimizer(bare),
        peaks=tuple(group["lr"] for group in bare.param_groups),
        host=accelerator,
        device=device,
    )


def log_step(
    learner: Learner, logger: RunLogger, progress: Progress, watch: Stopwatch, loss: float, norm: float
) -> None:
    """Log a step, and the samples of one that was not taken.

    Raises:
        DataError: too many in a row were not.
        EnvironmentProblem: the folder cannot be written.
    """
    if progress.skipped_in_row:
        samples = learner.plan.ids(learner.loader, progress.epoch, progress.step - 1)
        logger.log_skipped(progress, loss, norm, samples)
        refuse_more(progress, learner.recipe.run)
    logger.log_step(progress, loss, learner.rate, watch)


def finish_evaluation(
    learner: Learner, job: Job, folder: RunFolder, logger: RunLogger, progress: Progress, observed: Observed
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
    logger.log_evaluation(progress, loss, learner.rate, scores, bad=len(learner.loader.bad.found))
    refuse_divergence(progress, learner.length, observed, score)
    if not logger.writes:
        return
    best = better or not (folder.path / BEST).exists()
    for name in (BEST, LAST) if best else (LAST,):
        job.save(folder.path / name, scores)
    if better:
        job.draw(folder.path, observed)


@contextmanager
def finishing(task: Task, folder: RunFolder, device: torch.device) -> Iterator[ExitStack]:
    """Leave all contexts and the folder afterwards, and return the task unchanged but for its weights."""
    with ExitStack() as ending:
        ending.callback(folder.end)
        ending.callback(task.eval)
        ending.callback(unwrap_blocks, task)
        ending.enter_context(memory_explained(device))
        yield ending
