"""What learns, and its step: the gradient of a batch, and what becomes of it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..runs.progress import Length, Progress
from ..runs.step_report import Stopwatch
from ..settings.recipe import Recipe
from ..settings.schedule import learning_rate
from .batch_plan import Plan
from .blocks import compiler_explained
from .company import Supply
from .job import MicroBatches
from .objective import seed_micro_batch
from .sharding import clipped
from .state import Trained


class Host(Protocol):
    """What a step needs of an `Accelerator`, which knows of precision and of other processes."""

    scaler: torch.amp.GradScaler | None

    def no_sync(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Inside, gradients stay with each process."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of the loss, scaled in fp16."""
        ...

    def unscale_gradients(self) -> None:
        """Undo the scale."""
        ...


@dataclass(frozen=True)
class Learner:
    """All that a step needs, as set-up has put it together."""

    recipe: Recipe
    plan: Plan
    length: Length
    loader: MicroBatches
    trained: Trained
    objective: nn.Module  # the task as the function that is minimised, kept together with other processes
    optimiser: torch.optim.Optimizer  # that of `trained`, but for scaled losses
    peaks: tuple[float, ...]  # of the learning rate, one for each group of parameters
    host: Host
    device: torch.device

    @property
    def rate(self) -> float:
        """The learning rate of the group that learns fastest."""
        return max(group["lr"] for group in self.optimiser.param_groups)

    def set_rates(self, step: int) -> None:
        """Let each group learn at the rate of the so many-th step of the training, from 0."""
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = learning_rate(step, self.length.steps, peak, self.recipe.schedule)

    def gradient(
        self, batches: Supply[tuple[int, Any]], progress: Progress, watch: Stopwatch
    ) -> tuple[float, float]:
        """Gather the gradient of the step to come over its micro-batches, and clip it.

        This process's mean loss, and how long the gradient of all processes was.

        Raises:
            EnvironmentProblem: a block cannot be compiled.
        """
        run, count = self.recipe.run, self.plan.accumulation
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
        norm = clipped(self.trained.task.parameters(), self.recipe.optimiser.clip_norm)
        return total.item(), norm

    def update(self, progress: Progress, *, finite: bool) -> None:
        """Let the gradient change the weights, and these their average; one that is not `finite` does not."""
        if finite or self.host.scaler is not None:  # a scaler skips by itself, and learns from it
            self.optimiser.step()
        self.optimiser.zero_grad()
        if finite and self.trained.average is not None:
            self.trained.average.update(self.trained.task, progress.updates)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside, the task has the averaged weights, if there are any."""
        average = self.trained.average
        return nullcontext() if average is None else average.swapped_in(self.trained.task)
