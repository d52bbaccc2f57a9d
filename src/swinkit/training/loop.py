"""Train one task, plainly: set up, resume, step, evaluate, save. One process, one device.

The loop knows a task by its contract alone (`losses`, `observe`, `scores`).
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from ..tasks.task import Task
from .optimiser import adamw
from .recipe import Recipe
from .schedule import learning_rate

Epoch = Callable[[int], Iterable]


def train(task: Task, batches: Epoch, validation: Callable[[], Iterable], steps: int, recipe: Recipe, out: Path) -> None:
    """Train `task` as `recipe` says, `steps` batches an epoch; write log, checkpoint and weights into `out`.

    If `out` holds a checkpoint, training goes on from its epoch. One line of `log.jsonl` an epoch.
    """
    # 1. Set up
    settings, schedule = recipe.optimiser, recipe.schedule
    optimiser = adamw(task, settings)
    out.mkdir(parents=True, exist_ok=True)
    if recipe.run.compile:
        task.get_submodule("backbone").compile()

    # 2. Resume
    start = resume(task, optimiser, out / "checkpoint.pt")

    for epoch in range(start, schedule.epochs):
        began = time.perf_counter()
        task.train()
        total = 0.0
        torch.manual_seed(recipe.run.seed * 1_000_003 + epoch)  # drop-path

        # 3. Step
        for step, batch in enumerate(batches(epoch)):
            lr = learning_rate(
                epoch + step / steps, peak=settings.lr, final=schedule.final_lr, warmup=schedule.warmup_epochs, epochs=schedule.epochs
            )
            for group in optimiser.param_groups:
                group["lr"] = lr
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.run.precision == "bf16"):
                loss = torch.stack(list(task.losses(batch).values())).sum()
            loss.backward()
            clip_grad_norm_(task.parameters(), settings.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
            total += loss.item()

        # 4. Evaluate
        task.eval()
        for batch in validation():
            task.observe(batch)
        line = {"epoch": epoch + 1, "loss": total / steps, **task.scores(), "lr": lr, "seconds": time.perf_counter() - began}

        # 5. Save
        save_checkpoint(task, optimiser, epoch + 1, out / "checkpoint.pt")
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


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
