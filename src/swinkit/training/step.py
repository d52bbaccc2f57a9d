"""One optimiser step: batch, forward, loss, backward, clip, step."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..data.loader import Loader
from ..runs.progress import Length, Progress
from ..runs.step_report import Stopwatch
from ..settings.recipe import Recipe
from ..settings.schedule import learning_rate
from ..tasks.task import Task
from .accelerator import Host
from .batch_plan import Plan
from .distributed import average_buffers
from .parallelize import clip_gradient, compiler_explained, persistent_buffers
from .state import Trained
from .stopping import Supply


class Objective(nn.Module):
    """A task as the function that is minimised, since DDP keeps processes together in `forward` alone."""

    def __init__(self, task: Task):
        super().__init__()
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        """Return the sum of the losses of one batch, a number in at least fp32."""
        losses = self.task.losses(batch).values()
        return torch.stack([loss.to(torch.promote_types(loss.dtype, torch.float32)) for loss in losses]).sum()


@dataclass(frozen=True)
class Learner:
    """All that a step needs, as set-up has put it together."""

    recipe: Recipe
    plan: Plan
    length: Length
    loader: Loader[Any]
    trained: Trained
    objective: nn.Module  # the task as the function that is minimised, wrapped by DDP if there are others
    optimiser: torch.optim.Optimizer  # the one of `trained`, wrapped for scaled losses
    peaks: tuple[float, ...]  # learning rate at its peak, of each parameter group
    host: Host
    device: torch.device
    before: dict[str, Tensor] = field(default_factory=dict)  # the buffers before the step in progress

    @property
    def rate(self) -> float:
        """The learning rate of the group that learns fastest."""
        return max(group["lr"] for group in self.optimiser.param_groups)

    def set_rates(self, step: int) -> None:
        """Set the learning rate of each group to that of a step of the training, counted from 0."""
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = learning_rate(step, self.length.steps, peak, self.recipe.schedule)

    def gradient(
        self, batches: Supply[tuple[int, Any]], progress: Progress, watch: Stopwatch
    ) -> tuple[float, float]:
        """Accumulate the gradient over the micro-batches of a step, clip it, and return loss and norm.

        The loss is this process's mean, the norm that of the gradient of all processes before it is clipped.

        Raises:
            EnvironmentProblem: a block cannot be compiled.
        """
        run, count = self.recipe.run, self.plan.accumulation
        self.before.update(
            {name: each.clone() for name, each in persistent_buffers(self.trained.task).items()}
        )
        total = torch.zeros((), device=self.device)
        for i in range(count):
            with watch.waiting():
                number, batch = batches.next()
            seed_micro_batch(run.seed, progress.epoch, number)
            with nullcontext() if i == count - 1 else self.host.no_sync(self.objective):
                with compiler_explained(run.compile):
                    loss = self.objective(batch.to(self.device)) / count
                self.host.backward(loss)
            total += loss.detach()
        self.host.unscale_gradients()
        norm = clip_gradient(self.trained.task.parameters(), self.recipe.optimiser.clip_norm)
        return total.item(), norm

    def update(self, progress: Progress, *, finite: bool) -> None:
        """Step the weights, then their average; a gradient that is not `finite` changes nothing."""
        if finite or self.host.scaler is not None:  # a scaler skips by itself, and learns from it
            self.optimiser.step()
        if not finite:
            self.discard()
            return
        self.optimiser.zero_grad()
        average_buffers(list(persistent_buffers(self.trained.task).values()), self.device)
        if self.trained.average is not None:
            self.trained.average.update(self.trained.task, progress.updates)

    def discard(self) -> None:
        """Drop the gradient, and restore the buffers as they were before it was computed."""
        self.optimiser.zero_grad()
        for name, buffer in persistent_buffers(self.trained.task).items():
            buffer.copy_(self.before[name])

    def averaged(self) -> AbstractContextManager[None]:
        """Give the task the averaged weights inside, if there are any."""
        average = self.trained.average
        return nullcontext() if average is None else average.swapped_in(self.trained.task)


def seed_micro_batch(seed: int, epoch: int, number: int) -> None:
    """Seed drop-path and dropout by these alone: not by earlier steps, nor by the processes."""
    state = (seed * 1_000_003 + epoch) * 1_000_003 + number
    torch.manual_seed(state % 2**63)
