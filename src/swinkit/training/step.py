"""One optimiser step: batch, forward, loss, backward, clip, step."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..data.loader import Loader
from ..runs.progress import Length, Progress
from ..runs.step_report import Stopwatch
from ..settings.recipe import Recipe
from ..settings.schedule import learning_rate
from ..tasks.task import Task
from .batch_plan import Plan
from .distributed import average_buffers, reduce_step
from .parallelize import clip_gradient, explain_compiler_failures, persistent_buffers
from .rank_batches import RankBatches
from .state import Trained
from .stopping import is_failure

if TYPE_CHECKING:
    from .accelerator import Accelerator


class Objective(nn.Module):
    """A task as the function that is minimised, since DDP keeps processes together in `forward` alone."""

    def __init__(self, task: Task):
        super().__init__()
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        """Return the sum of the losses of one batch, a number in at least fp32.

        Raises:
            TypeError: the task returns no loss, or one that is no scalar.
        """
        losses = self.task.losses(batch)
        require_scalars(losses, type(self.task).__name__)
        wide = [loss.to(torch.promote_types(loss.dtype, torch.float32)) for loss in losses.values()]
        return torch.stack(wide).sum()


def require_scalars(losses: Mapping[str, Tensor], task: str) -> None:
    """Raise TypeError unless the class `task` returned one loss or more, each a scalar."""
    if not losses:
        raise TypeError(f"{task}.losses() is empty; it must return one loss or more")
    for name, loss in losses.items():
        if loss.ndim:
            raise TypeError(f"loss {name!r} has shape {tuple(loss.shape)}; it must be a scalar")


@dataclass(frozen=True)
class Step:
    """Numbers of one optimiser step, the same in all ranks."""

    norm: float  # of the gradient before it was clipped
    loss: float
    seconds: float  # of the slowest rank
    stop: int  # the exit code to leave with, 0 to go on
    bad: int  # samples newly found that cannot be read

    @property
    def is_finite(self) -> bool:
        """True if loss and gradient are finite."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


@dataclass(frozen=True)
class Learner:
    """Model, optimiser, data and device of a training, prepared for its steps."""

    recipe: Recipe
    plan: Plan
    length: Length
    loader: Loader[Any]
    trained: Trained
    objective: nn.Module  # the task as the function that is minimised, wrapped by DDP if there are others
    optimiser: torch.optim.Optimizer  # the one of `trained`, wrapped for scaled losses
    peaks: tuple[float, ...]  # learning rate at its peak, of each parameter group
    accelerator: "Accelerator"
    device: torch.device

    @property
    def rate(self) -> float:
        """The learning rate of the group that learns fastest."""
        return max(group["lr"] for group in self.optimiser.param_groups)

    def set_rates(self, step: int) -> None:
        """Set the learning rate of each group to that of a step of the training, counted from 0."""
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = learning_rate(step, self.length.steps, peak, self.recipe.schedule)

    def take_step(self, batches: RankBatches[tuple[int, Any]], progress: Progress, watch: Stopwatch) -> Step:
        """Take one optimiser step: batch, forward, loss, backward, clip, step.

        If loss or gradient is not finite in one rank, nothing changes; if one rank failed, the step does not
        even count.

        Raises:
            EnvironmentProblem: a block cannot be compiled.
        """
        task = self.trained.task
        self.set_rates(self.length.before(progress))
        buffers = {name: buffer.clone() for name, buffer in persistent_buffers(task).items()}
        loss = self.compute_gradient(batches, progress, watch)
        self.accelerator.unscale_gradients()
        norm = clip_gradient(task.parameters(), self.recipe.optimiser.clip_norm)

        code, bad = batches.signals.exit_code, self.loader.bad.news()
        step = Step(norm, *reduce_step(loss.item(), watch.lap(), code, bad, self.device))
        if is_failure(step.stop):
            self.discard(buffers)
            return step
        progress.count(step.loss, step.seconds, finite=step.is_finite)
        if step.is_finite or self.accelerator.scaler is not None:  # a scaler skips by itself, and adapts
            self.optimiser.step()
        if not step.is_finite:
            self.discard(buffers)
            return step
        self.optimiser.zero_grad()
        average_buffers(list(persistent_buffers(task).values()), self.device)
        if self.trained.average is not None:
            self.trained.average.update(task, progress.updates)
        return step

    def compute_gradient(
        self, batches: RankBatches[tuple[int, Any]], progress: Progress, watch: Stopwatch
    ) -> Tensor:
        """Add the gradients of this rank's micro-batches of one step; return their mean loss.

        Raises:
            EnvironmentProblem: a block cannot be compiled.
        """
        run, count = self.recipe.run, self.plan.accumulation
        total = torch.zeros((), device=self.device)
        for remaining in reversed(range(count)):
            with watch.waiting():
                number, batch = batches.next()
            seed_micro_batch(run.seed, progress.epoch, number)
            with self.accelerator.no_sync(self.objective) if remaining else nullcontext():
                with explain_compiler_failures(run.compile):
                    loss = self.objective(batch.to(self.device)) / count
                self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def discard(self, buffers: Mapping[str, Tensor]) -> None:
        """Drop the gradient, and restore the buffers as they were before it was computed."""
        self.optimiser.zero_grad()
        for name, buffer in persistent_buffers(self.trained.task).items():
            buffer.copy_(buffers[name])

    def use_average(self) -> AbstractContextManager[None]:
        """Give the task the averaged weights inside, if there are any."""
        average = self.trained.average
        return nullcontext() if average is None else average.swap_in(self.trained.task)


def seed_micro_batch(seed: int, epoch: int, number: int) -> None:
    """Seed drop-path and dropout by these alone: not by earlier steps, nor by the processes."""
    state = (seed * 1_000_003 + epoch) * 1_000_003 + number
    torch.manual_seed(state % 2**63)
