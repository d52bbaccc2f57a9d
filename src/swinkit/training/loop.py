"""Train one task, plainly: set up, resume, step, evaluate, save. One process, on the CPU.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`).
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from ..errors import DataError, UsageError
from ..tasks.task import Task
from .optimiser import adamw
from .recipe import Recipe
from .schedule import learning_rate

logger = logging.getLogger(__name__)


def train(
    task: Task,
    batches: Callable[[int], Iterable[Any]],
    validation: Callable[[], Iterable[Any]],
    steps: int,
    recipe: Recipe,
    out: Path,
) -> None:
    """Train `task` as `recipe` says, with the `steps` batches that `batches(epoch)` yields.

    Writes into `out`: `recipe.json`, `log.jsonl` (a line an epoch) and `checkpoint.pt`, from which a
    stopped training goes on at its last finished epoch.

    Raises:
        UsageError: `out` holds a training by another recipe.
        DataError: the loss is not finite.
    """
    # 1. Set up
    optimiser = adamw(task, recipe.optimiser)
    claim(out, recipe)
    if recipe.run.compile:
        task.get_submodule("backbone").compile()

    # 2. Resume
    first = resume(task, optimiser, out / "checkpoint.pt")

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
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.run.precision == "bf16"):
                loss = torch.stack(list(task.losses(batch).values())).sum()
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
        scores = task.scores()

        # 5. Save
        save_checkpoint(task, optimiser, epoch + 1, out / "checkpoint.pt")
        line = {"epoch": epoch + 1, "loss": total / steps, **scores, "seconds": time.perf_counter() - began}
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        logger.info(
            "epoch %d of %d: %s", epoch + 1, recipe.schedule.epochs, {k: round(v, 4) for k, v in line.items()}
        )
    task.eval()


def claim(out: Path, recipe: Recipe) -> None:
    """Make `out` the folder of this recipe's training.

    Raises:
        UsageError: it is that of another recipe already.
    """
    out.mkdir(parents=True, exist_ok=True)
    path, wanted = out / "recipe.json", json.dumps(asdict(recipe), indent=1)
    if path.exists() and path.read_text() != wanted:
        raise UsageError(
            f"{out} holds a training by another recipe (recipe.json differs); choose another folder"
        )
    path.write_text(wanted)


def save_checkpoint(task: nn.Module, optimiser: torch.optim.Optimizer, epoch: int, path: Path) -> None:
    """Everything needed to go on, in one file that is either the old or the new one."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save({"task": task.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def resume(task: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> int:
    """The epoch to go on from: 0, or that of the checkpoint at `path`, whose state is loaded."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    task.load_state_dict(state["task"])
    optimiser.load_state_dict(state["optimiser"])
    return state["epoch"]
