"""The folder of one training: its recipe, its log, and the checkpoint from which it goes on."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import torch

from ..errors import DataError, EnvironmentProblem, UsageError
from ..files.tensors import read_torch
from ..tasks.task import Task
from .recipe import Recipe

CHECKPOINT = "checkpoint.pt"
FIELDS = {"task", "optimiser", "epoch", "labels"}


class RunFolder:
    """`recipe.json`, `log.jsonl` and `checkpoint.pt`, each at any moment either the old or the new one.

    Raises:
        UsageError: on making it, the folder holds a training by another recipe.
        EnvironmentProblem: on making it and on writing, the folder cannot be written.
    """

    def __init__(self, path: Path, recipe: Recipe):
        self.path = path
        wanted = json.dumps(asdict(recipe), indent=1)
        with self.writing():
            path.mkdir(parents=True, exist_ok=True)
            recorded = path / "recipe.json"
            if not recorded.exists():
                with self.replacing(recorded) as file:
                    file.write(wanted.encode())
            elif recorded.read_text() != wanted:
                raise UsageError(f"{path} holds a training by another recipe; choose another folder")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What the system says against writing, in one line."""
        try:
            yield
        except OSError as error:
            raise EnvironmentProblem(f"{self.path} cannot be written: {error.strerror or error}") from None

    @contextmanager
    def replacing(self, path: Path) -> Iterator[IO[bytes]]:
        """A file beside `path` to write into; once it is on the disk, it takes that name."""
        partial = path.with_name(f"{path.name}.partial")
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def log(self, line: dict[str, Any]) -> None:
        """Add a line to `log.jsonl`."""
        with self.writing(), (self.path / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def last(self) -> dict[str, Any]:
        """The last line of the log."""
        return json.loads((self.path / "log.jsonl").read_text().splitlines()[-1])

    def save(self, task: Task, optimiser: torch.optim.Optimizer, epoch: int) -> None:
        """Everything needed to go on after `epoch`."""
        state = {
            "task": task.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epoch": epoch,
            "labels": list(task.labels),
        }
        with self.writing(), self.replacing(self.path / CHECKPOINT) as file:
            torch.save(state, file)

    def resume(self, task: Task, optimiser: torch.optim.Optimizer) -> int:
        """Fill both from the checkpoint; the epoch after which it was saved, 0 if there is none.

        Raises:
            DataError: the checkpoint is damaged.
            UsageError: it is of a training on other classes.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return 0
        with path.open("rb") as file:
            state = read_torch(path, file)
        if not isinstance(state, dict) or set(state) != FIELDS:
            raise DataError(f"{path} is no checkpoint of a training; delete it to begin anew")
        if state["labels"] != list(task.labels):
            raise UsageError(f"{self.path} holds a training on other classes; choose another folder")
        task.load_state_dict(state["task"])
        optimiser.load_state_dict(state["optimiser"])
        return state["epoch"]
