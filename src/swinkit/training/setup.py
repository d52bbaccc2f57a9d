"""Set-up of a training: folder, micro-batch, model on its device, checkpoint, log; and its end."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..data.hold_out import record_of
from ..data.loader import Loader
from ..runs.config_diff import Change
from ..runs.folder import SPLIT, RunFolder
from ..runs.logger import RunLogger
from ..runs.progress import Length, Progress
from ..runs.step_report import Reporting
from ..settings.recipe import Recipe
from ..settings.run import AUTO
from ..tasks.task import Task
from .accelerator import accelerator_of, wrap_in_ddp
from .auto_batch import explain_full_memory, find_micro_batch
from .batch_plan import Plan
from .distributed import require_same_checkpoint
from .ema import Average
from .job import Job, hold_out_of
from .parallelize import count_local_parameters, place, unwrap_blocks
from .param_groups import optimiser_of
from .state import Trained
from .step import Learner, Objective
from .stopping import (
    Signals,
    why_over,
)
from .summary import describe_training, row

if TYPE_CHECKING:
    from .accelerator import Accelerator


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
    plan_steps(job, recipe, accelerator.num_processes)
    changes: list[Change] = []
    with signals.raise_together():
        if accelerator.is_main_process:
            changes = folder.begin(job.config, allow_changes=allow_changes)
            folder.forget_bad_files(changes)
            if hold_out_of(recipe) is not None and not (folder.path / SPLIT).exists():
                folder.replace(SPLIT, record_of((job.training, job.validation)))
    return changes


def rehearse(
    job: Job, recipe: Recipe, folder: RunFolder, ranks: int, *, allow_changes: bool
) -> tuple[Plan, Loader[Any], Progress]:
    """Do what a training in so many processes does before its first step, but write nothing.

    Return its batches, its samples, and its progress so far.

    Raises:
        UsageError, DataError, EnvironmentProblem: as the training.
    """
    accelerator = accelerator_of(recipe.run, folder)
    plan, loader = plan_steps(job, recipe, ranks)
    changes = folder.rehearse(job.config, allow_changes=allow_changes)
    if not any(change.of_training for change in changes):
        loader.bad.meet(folder.bad_files())
    average = Average(job.task, recipe.run.ema) if recipe.run.ema else None
    trained = Trained(job.task, optimiser_of(job.task, recipe.optimiser), average, accelerator.scaler)
    progress = trained.resume(folder.checkpoints)
    progress.ended = why_over(progress, Length.of(recipe, plan.steps(loader)), recipe.run)
    return plan, loader, progress


def plan_steps(job: Job, recipe: Recipe, ranks: int) -> tuple[Plan, Loader[Any]]:
    """Return the batches of a training in so many processes, and its samples.

    Raises:
        DataError: there are fewer samples than one batch.
        UsageError: the warm-up is as long as the training, processes cannot share the batch, or the recipe's
            fields do not fit the model.
    """
    plan = Plan.of(recipe.run, ranks)
    loader = job.loader(plan.micro_batch)
    recipe.schedule.require_fits(plan.steps(loader))
    job.task_type.evaluation_batches(job.task)
    return plan, loader


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
    """Log the summary of the training; record its configuration, unless the run has ended unchanged.

    Raises:
        EnvironmentProblem: the folder cannot be written, or a tracker cannot begin.
    """
    recipe, folder = learner.recipe, logger.folder
    with signals.raise_together():
        # An ended run stays as it is, so that an older version still knows it; allowed changes are recorded.
        if logger.writes and (changes or not progress.ended):
            folder.accept(job.config)
        lines = describe_training(
            job,
            recipe,
            learner.plan,
            learner.loader,
            signals.device,
            folder.path,
            resumed=progress.updates > 0,
        )
        if recipe.run.sharding == "full":
            lines.append(
                row(
                    "shared out",
                    f"{count_local_parameters(learner.trained.task):,} parameters in this process",
                )
            )
        logger.open(job.title, lines, job.notes, progress, changes)


@contextmanager
def clean_up(task: Task, folder: RunFolder, device: torch.device) -> Iterator[ExitStack]:
    """At the end, close the folder and unwrap the task, so that nothing but its weights has changed."""
    with ExitStack() as ending:
        ending.callback(folder.end)
        ending.callback(task.eval)
        ending.callback(unwrap_blocks, task)
        ending.enter_context(explain_full_memory(device))
        yield ending
