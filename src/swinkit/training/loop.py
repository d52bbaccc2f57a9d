"""Train one task: set up, resume, step, evaluate, save.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`), and data as numbered
micro-batches. What is random in a step follows from (seed, epoch, micro-batch), and of each group of
micro-batches process r takes number r, r + ranks, ...: so two processes compute what one does with twice the
accumulation, and a resumed run what one does that was never stopped. One step is in `step.py`.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch

from ..data.loader import InOrder
from ..runs.config_diff import Change
from ..runs.folder import BEST, LAST, RunFolder
from ..runs.logger import RunLogger
from ..runs.progress import Length, Progress
from ..runs.step_report import Reporting, Stopwatch, log_lines
from ..runs.trackers import Trackers
from ..settings.recipe import Recipe
from ..settings.run import AUTO
from ..tasks.observed import Observed
from ..tasks.task import Task, exact_convolutions
from .accelerator import accelerator_of, wrap_in_ddp
from .auto_batch import explain_full_memory, find_micro_batch
from .batch_plan import Plan
from .distributed import explain_peer_failures, rank, reduce_exit_code, require_same_checkpoint
from .ema import Average
from .evaluation import observe_over_ranks
from .job import Job
from .parallelize import copy_weights_back, count_local_parameters, place, unwrap_blocks
from .param_groups import optimiser_of
from .precision import fp32_kept
from .rank_batches import RankBatches
from .state import Trained
from .step import Learner, Objective, Step
from .stopping import (
    OFFSET,
    Signals,
    is_failure,
    out_of_time,
    refuse_divergence,
    refuse_more,
    why_over,
)
from .summary import describe_training, row

if TYPE_CHECKING:
    from .accelerator import Accelerator


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
        logger = RunLogger(folder, trackers, reporting, learner.length, accelerator.device, writes=first)
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
    learner.trained.task.train()
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


def resume(learner: Learner, folder: RunFolder, signals: Signals) -> Progress:
    """Load the newest checkpoint, the same in all ranks; return its progress.

    Raises:
        DataError: no checkpoint is whole, or it is of another model.
        UsageError: the ranks see different checkpoints.
    """
    with signals.raise_together():
        progress = learner.trained.resume(folder.checkpoints)
        learner.set_rates(max(0, learner.length.before(progress) - 1))  # as the last step left them
        learner.loader.bad.meet(folder.bad_files())
    with signals.raise_together():
        require_same_checkpoint(progress, folder.checkpoints.folder, signals.device)
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
    """Log the summary of the training; record its configuration if steps are left to take.

    Raises:
        EnvironmentProblem: the folder cannot be written, or a tracker cannot begin.
    """
    recipe, folder = learner.recipe, logger.folder
    with signals.raise_together():
        if logger.writes and not progress.ended:  # so that an older version still knows what has ended
            folder.accept(job.config)
        lines = describe_training(
            job, recipe, learner.plan, signals.device, folder.path, resumed=progress.updates > 0
        )
        if recipe.run.sharding == "full":
            lines.append(
                row(
                    "shared out",
                    f"{count_local_parameters(learner.trained.task):,} parameters in this process",
                )
            )
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
    """Lock the run's folder, if the data are enough for a step; return what has changed since the run began.

    Raises:
        DataError: there are fewer samples than one batch; nothing is written then.
        UsageError: the warm-up is as long as the training, or the folder holds another training, or another
            process trains in it.
        EnvironmentProblem: the folder cannot be written.
    """
    plan = Plan.of(recipe.run, accelerator.num_processes)
    recipe.schedule.require_fits(plan.steps(job.loader(plan.micro_batch)))
    changes: list[Change] = []
    with signals.raise_together():
        if accelerator.is_main_process:
            changes = folder.begin(job.config, allow_changes=allow_changes)
            folder.forget_bad_files(changes)
    return changes


def set_up(
    job: Job, recipe: Recipe, folder: RunFolder, accelerator: "Accelerator", reporting: Reporting
) -> Learner:
    """Find the micro-batch, place the task on the device, and make optimiser, EMA and loader.

    Raises:
        EnvironmentProblem: not even one sample at a time fits into memory.
    """
    run, device = recipe.run, accelerator.device
    if run.micro_batch == AUTO:
        if accelerator.is_main_process:
            reporting("finding how many samples at a time fit into memory")
        size = find_micro_batch(job, recipe, folder, device, accelerator.autocast)
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
        objective=wrap_in_ddp(accelerator, Objective(task), sharded=sharded),
        optimiser=accelerator.prepare_optimizer(bare),
        peaks=tuple(group["lr"] for group in bare.param_groups),
        accelerator=accelerator,
        device=device,
    )


def log_step(learner: Learner, logger: RunLogger, progress: Progress, watch: Stopwatch, step: Step) -> None:
    """Log a step, and the samples of one that was not taken.

    Raises:
        DataError: too many in a row were not.
        EnvironmentProblem: the folder cannot be written.
    """
    if progress.skipped_in_row:
        samples = learner.plan.ids(learner.loader, progress.epoch, progress.step - 1)
        logger.log_skipped(progress, step.loss, step.norm, samples)
        refuse_more(progress, learner.recipe.run)
    logger.log_step(progress, step.loss, learner.rate, watch)


def finish_evaluation(
    learner: Learner, job: Job, logger: RunLogger, progress: Progress, observed: Observed
) -> None:
    """Write down the scores, the models, and pictures if this evaluation is the best so far.

    Raises:
        DataError: no picture of the validation split has a finite answer.
        EnvironmentProblem: the folder cannot be written.
    """
    copy_weights_back(learner.trained.task, job.task)
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
    run = logger.folder.path
    best = better or not (run / BEST).exists()
    for name in (BEST, LAST) if best else (LAST,):
        job.save(run / name, scores)
    if better:
        job.draw(run, observed)


@contextmanager
def clean_up(task: Task, folder: RunFolder, device: torch.device) -> Iterator[ExitStack]:
    """At the end, close the folder and unwrap the task, so that nothing but its weights has changed."""
    with ExitStack() as ending:
        ending.callback(folder.end)
        ending.callback(task.eval)
        ending.callback(unwrap_blocks, task)
        ending.enter_context(explain_full_memory(device))
        yield ending
