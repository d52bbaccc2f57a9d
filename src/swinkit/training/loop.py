"""The loop of a training: steps, evaluations, checkpoints.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped. One step is in `step.py`.
"""

import math
from dataclasses import asdict
from typing import Any

from ..data.loader import InOrder
from ..runs.folder import BEST, LAST, RunFolder
from ..runs.logger import RunLogger
from ..runs.progress import Progress
from ..runs.step_report import Reporting, Stopwatch, log_lines
from ..runs.trackers import Trackers
from ..settings.recipe import Recipe
from ..tasks.observed import Observed
from ..tasks.task import exact_convolutions
from .accelerator import accelerator_of
from .distributed import explain_peer_failures, rank, reduce_exit_code
from .evaluation import observe_over_ranks
from .freezing import begin_training
from .job import Job
from .parallelize import copy_weights_back
from .precision import fp32_kept
from .rank_batches import RankBatches
from .setup import begin, clean_up, resume, set_up, start_logging
from .step import Learner, Step
from .stopping import (
    OFFSET,
    Signals,
    is_failure,
    out_of_time,
    refuse_divergence,
    refuse_end,
    refuse_more,
    why_over,
)


@explain_peer_failures()
def train(
    job: Job,
    recipe: Recipe,
    folder: RunFolder,
    *,
    allow_changes: bool = False,
    reporting: Reporting = log_lines,
) -> Progress:
    """Train `job` by `recipe`, from wherever `folder` left off; return its progress at the end.

    Raises:
        DataError: too many steps in a row are not finite, a sample cannot be read, or no checkpoint is whole.
        UsageError: the folder holds another training.
        EnvironmentProblem: the folder cannot be written, or something that the recipe asks for is missing.
        KeyboardInterrupt, SystemExit: it was asked to stop, or another process failed; all is saved.
    """
    accelerator = accelerator_of(recipe.run, folder)
    signals, first = Signals(accelerator.device), accelerator.is_main_process
    with clean_up(job.task, folder, accelerator.device) as ending:
        changes = begin(job, recipe, folder, accelerator, signals, allow_changes=allow_changes)
        learner = set_up(job, recipe, folder, accelerator, reporting)
        validation = job.validation_loader(learner.plan.evaluated)
        progress = resume(learner, folder, signals)
        trackers = Trackers(accelerator, recipe.run.trackers, asdict(recipe), folder)
        ending.callback(trackers.close)
        logger = RunLogger(
            folder,
            trackers,
            reporting,
            learner.length,
            accelerator.device,
            job.task.ranked_loss,
            lower_is_better=job.task.lower_is_better,
            writes=first,
        )
        start_logging(logger, job, learner, progress, changes, signals)
        for context in (exact_convolutions(), fp32_kept(learner.trained.task), signals):
            ending.enter_context(context)

        while not progress.ended:
            stop = train_steps(learner, folder, logger, progress, signals)
            if not stop and not is_evaluation_due(learner, progress):
                progress.begin_epoch()
                continue
            if not stop:
                stop = validate(learner, job, validation, logger, progress, signals)
            stop = save_state(learner, folder, logger, progress, signals, stop)
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
    begin_training(learner.trained.task)
    start, watch = progress.step * plan.group, Stopwatch()
    batches = RankBatches(loader.micro_batches(progress.epoch, start, rank(), plan.ranks), signals)
    with watch.waiting():
        stop = batches.begin()
    while not (stop or length.is_due_or_epoch_over(progress) or out_of_time(progress, run)):
        step = learner.take_step(batches, progress, watch)
        stop = step.stop
        if is_failure(stop):
            break
        with signals.defer_error():
            log_step(learner, logger, progress, watch, step)
            if step.bad:
                loader.bad.meet(folder.bad_files())
        # A checkpoint is written before an evaluation, and between two epochs, as well.
        if progress.updates % run.save_every == 0 or length.is_due_or_epoch_over(progress):
            with signals.defer_error():
                learner.trained.save(folder.checkpoints, progress, writes=logger.writes)
    return stop


def is_evaluation_due(learner: Learner, progress: Progress) -> bool:
    """Return whether an evaluation comes before the next step: by the schedule, or as time is over."""
    return learner.length.is_due(progress) or out_of_time(progress, learner.recipe.run)


def validate(
    learner: Learner,
    job: Job,
    validation: InOrder[Any],
    logger: RunLogger,
    progress: Progress,
    signals: Signals,
) -> int:
    """Evaluate the averaged weights, if they are averaged; return the exit code to leave with, 0 to go on."""
    with learner.use_average():
        observed, stop = observe_over_ranks(learner.trained.task, validation, signals)
        if observed is not None:
            with signals.defer_error():
                finish_evaluation(learner, job, logger, progress, observed)
    return stop


def save_state(
    learner: Learner, folder: RunFolder, logger: RunLogger, progress: Progress, signals: Signals, stop: int
) -> int:
    """Write a checkpoint; return the exit code that all ranks leave with, 0 to go on."""
    with signals.defer_error():
        writes = logger.writes and signals.error is None  # so that what failed happens once more
        learner.trained.save(folder.checkpoints, progress, writes=writes)
        if stop and not is_failure(stop):
            logger.log_stop(progress, stop - OFFSET)
    return reduce_exit_code(signals.error_code or stop, signals.device)


def log_step(learner: Learner, logger: RunLogger, progress: Progress, watch: Stopwatch, step: Step) -> None:
    """Log a step, and the samples of one that was not taken.

    Raises:
        DataError: too many in a row were not.
        EnvironmentProblem: the folder cannot be written.
    """
    if progress.skipped_in_row:
        samples = learner.plan.ids(learner.loader, progress.epoch, progress.step - 1)
        logger.log_skipped(progress, step.loss, step.norm, samples)
        refuse_more(progress, learner.recipe)
    logger.log_step(progress, step.loss, learner.rate, watch)


def finish_evaluation(
    learner: Learner, job: Job, logger: RunLogger, progress: Progress, observed: Observed
) -> None:
    """Write down the scores, the models, and pictures if this evaluation is the best so far.

    Raises:
        DataError: no picture of the validation split has a finite answer; or the training is over, and most
            of its steps, or all since the evaluation before, were skipped.
        EnvironmentProblem: the folder cannot be written.
        TypeError: the task has no score.
    """
    copy_weights_back(learner.trained.task, job.task)
    scores = job.task.scores(observed)
    if not scores:
        raise TypeError(f"{type(job.task).__name__}.scores() is empty; its first score ranks evaluations")
    loss, score, skipped = progress.mean_loss(), next(iter(scores.values())), progress.skipped_lately
    better = progress.finish_evaluation(
        score, scores.get(job.task.ranked_loss, math.nan), lower_is_better=job.task.lower_is_better
    )
    if learner.length.schedule.unit == "epoch" or progress.step >= learner.length.steps:
        progress.begin_epoch()
    progress.ended = why_over(progress, learner.length, learner.recipe.run)
    bad = len(learner.loader.bad.found)
    logger.log_evaluation(progress, loss, learner.rate, scores, skipped=skipped, bad=bad)
    refuse_divergence(progress, learner.length, observed, score, learner.recipe)
    refuse_end(progress, learner.length, learner.recipe)
    logger.log_end(progress)
    if not logger.writes:
        return
    run = logger.folder.path
    best = better or not (run / BEST).exists()
    for name in (BEST, LAST) if best else (LAST,):
        job.save(run / name, scores)
    if better:
        job.draw(run, observed)
