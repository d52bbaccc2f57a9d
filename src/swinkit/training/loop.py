"""Train one task, plainly: set up, resume, step, evaluate, save. One process, on the CPU.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`).
"""

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from ..errors import DataError, EnvironmentProblem
from ..tasks.task import Task
from .optimiser import adamw
from .recipe import Recipe
from .run import RunFolder
from .schedule import learning_rate

logger = logging.getLogger(__name__)


def train(
    task: Task,
    batches: Callable[[int], Iterable[Any]],
    validation: Callable[[], Iterable[Any]],
    steps: int,
    recipe: Recipe,
    folder: RunFolder,
) -> None:
    """Train `task` as `recipe` says, with the `steps` batches that `batches(epoch)` yields.

    A stopped training goes on at the last epoch that `folder` has.

    Raises:
        DataError: the loss is not finite.
        EnvironmentProblem: the folder cannot be written, or the recipe asks to compile and nothing can.
    """
    # 1. Set up
    optimiser = adamw(task, recipe.optimiser)
    if recipe.run.compile:
        task.compile()

    # 2. Resume
    first = folder.resume(task, optimiser)
    if first:
        logger.info("going on after epoch %d of %d", first, recipe.schedule.epochs)

    for epoch in range(first, recipe.schedule.epochs):
        began = time.perf_counter()
        task.train()
        total = 0.0
        torch.manual_seed(recipe.run.seed * 1_000_003 + epoch)  # drop-path

        # 3. Step
        for step, batch in enumerate(batches(epoch)):
            rate = learning_rate(epoch + step / steps, recipe.optimiser.lr, recipe.schedule)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = loss_of(task, batch, recipe)
            if not math.isfinite(loss.item()):
                where = f"epoch {epoch + 1}, step {step + 1}"
                raise DataError(f"the loss is {loss.item()} in {where}; try a lower optimiser.lr")
            loss.backward()
            clip_grad_norm_(task.parameters(), recipe.optimiser.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
            total += loss.item()

        # 4. Evaluate
        task.eval()
        for batch in validation():
            task.observe(batch)

        # 5. Save
        numbers = {"loss": total / steps, **task.scores(), "seconds": time.perf_counter() - began}
        folder.log({"epoch": epoch + 1, **numbers})
        folder.save(task, optimiser, epoch + 1)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        logger.info("epoch %d of %d  %s", epoch + 1, recipe.schedule.epochs, shown)
    task.eval()


def loss_of(task: Task, batch: Any, recipe: Recipe) -> Tensor:
    """The sum of the task's losses, in the recipe's precision.

    Raises:
        EnvironmentProblem: compiling failed, as it does without a C++ compiler.
    """
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.run.precision == "bf16"):
            return torch.stack(list(task.losses(batch).values())).sum()
    except compiler_failures(recipe) as error:
        reason = str(error).splitlines()[0]
        raise EnvironmentProblem(
            f"run.compile needs a C++ compiler, such as g++, or must be left out: {reason}"
        ) from None


def compiler_failures(recipe: Recipe) -> tuple[type[Exception], ...]:
    """What torch raises where it cannot compile; imported only where it may, since that takes seconds."""
    if not recipe.run.compile:
        return ()
    from torch._dynamo.exc import BackendCompilerFailed

    return (BackendCompilerFailed,)
