"""Checkpoints of a training: each of them whole and verified, or passed over.

One is a folder `epoch-0003-step-000120` of `state.pt` and `COMMIT.json`, the sizes and hashes of its files.
It is written under another name and takes its own when it is on the disk; older ones go after that.
"""

import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import DataError, EnvironmentProblem
from ..files.folder import sync
from ..files.tensors import read_torch
from ..tasks.task import Task
from .averaging import Average
from .parallel import gathered, part_like
from .recipe import Run

logger = logging.getLogger(__name__)

STATE, COMMIT = "state.pt", "COMMIT.json"


@dataclass
class Progress:
    """How far a training has come: all that is resumed beside tensors."""

    epoch: int = 0  # the one in progress, from 0
    step: int = 0  # optimiser steps done in it
    updates: int = 0  # optimiser steps done in all, those skipped included
    loss: float = 0.0  # summed over the epoch's steps
    counted: int = 0  # steps in that sum
    seconds: float = 0.0  # of training, over all its parts
    skipped: int = 0  # steps without a finite loss and gradient
    skipped_in_row: int = 0
    best: float | None = None  # the highest score so far
    since_best: int = 0  # epochs
    ended: str = ""  # why, once it has

    def name(self) -> str:
        """Of its checkpoint; names sort as time goes."""
        return f"epoch-{self.epoch:04d}-step-{self.step:08d}"

    def count(self, loss: float, seconds: float, *, finite: bool) -> None:
        """One more step."""
        self.step, self.updates, self.seconds = self.step + 1, self.updates + 1, self.seconds + seconds
        if finite:
            self.loss, self.counted, self.skipped_in_row = self.loss + loss, self.counted + 1, 0
        else:
            self.skipped, self.skipped_in_row = self.skipped + 1, self.skipped_in_row + 1

    def mean_loss(self) -> float:
        """Of the epoch's steps so far."""
        return self.loss / self.counted if self.counted else math.nan

    def finish_epoch(self, score: float, run: Run, epochs: int) -> bool:
        """The epoch is over, and may be the last; whether its `score` is the best so far."""
        better = self.best is None or score > self.best
        self.best = score if better else self.best
        self.since_best = 0 if better else self.since_best + 1
        self.epoch, self.step, self.loss, self.counted = self.epoch + 1, 0, 0.0, 0
        if self.epoch >= epochs:
            self.ended = "all epochs are done"
        elif run.patience is not None and self.since_best >= run.patience:
            self.ended = f"{self.since_best} epochs brought no better score"
        elif self.out_of_time(run):
            self.ended = f"the {run.hours:g} hours are over"
        return better

    def out_of_time(self, run: Run) -> bool:
        """Whether it has trained for as long as it may."""
        return run.hours is not None and self.seconds >= run.hours * 3600


class Checkpoints:
    """The folder of them. Of several processes one writes."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __iter__(self) -> Iterator[Path]:
        """From the newest to the oldest, whole or not."""
        return iter(sorted(self.folder.glob("epoch-*"), reverse=True))

    def save(self, state: dict[str, Any], progress: Progress) -> None:
        """Write `state`, tensors and plain values, as the checkpoint of `progress`; then older ones go.

        Raises:
            EnvironmentProblem: it cannot be written; the older ones are kept.
        """
        target = self.folder / progress.name()
        partial = self.folder / f".{target.name}.partial"
        if is_whole(target):  # stopped again before the first step since
            return
        try:
            for old in self.folder.glob(".*.partial"):
                shutil.rmtree(old)
            partial.mkdir(parents=True)
            write(partial, {**state, "progress": vars(progress)})
            if target.exists():  # a damaged one: a whole one would have been resumed
                shutil.rmtree(target)
            partial.replace(target)
            sync(self.folder)
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by the latter, on the former
            shutil.rmtree(partial, ignore_errors=True)
            cause = error if isinstance(error, OSError) else error.__context__
            reason = getattr(cause, "strerror", None) or str(error).splitlines()[0]
            raise EnvironmentProblem(
                f"{target} cannot be written ({reason}); earlier checkpoints are kept: "
                "make room, and resume the run"
            ) from None
        self._prune(target)

    def _prune(self, kept: Path) -> None:
        """Remove all but `kept`, if that can be read back."""
        verify(kept)
        for other in self:
            if other != kept:
                shutil.rmtree(other, ignore_errors=True)

    def newest(self) -> tuple[dict[str, Any], Progress] | None:
        """The state and progress of the newest whole checkpoint; damaged ones are passed over, aloud.

        Raises:
            DataError: there are some, and none is whole.
        """
        found = list(self)
        for folder in found:
            try:
                verify(folder)
                with (folder / STATE).open("rb") as file:
                    state = read_torch(folder / STATE, file)
                if not isinstance(state, dict):
                    raise DataError(f"{folder / STATE} holds no state of a training")
                return state, Progress(**state.pop("progress"))
            except (DataError, TypeError, KeyError) as error:
                logger.warning("passed over a damaged checkpoint: %s", error)
        if found:
            raise DataError(f"{self.folder}: no checkpoint is whole; delete the folder to begin anew")
        return None


@dataclass
class Trained:
    """Everything that training changes, and that resuming must bring back to the bit."""

    task: Task
    optimiser: torch.optim.Optimizer
    average: Average | None
    scaler: torch.amp.GradScaler | None

    def save(self, checkpoints: Checkpoints, progress: Progress, *, writes: bool = True) -> None:
        """Write a checkpoint, the same whether weights are shared out or not. All call this; one `writes`.

        Raises:
            EnvironmentProblem: it cannot be written; the older ones are kept.
        """
        state: dict[str, Any] = {
            "model": self.task.state_dict(),
            "optimizer": self.optimiser.state_dict(),
        }
        if self.average is not None:
            state["model_ema"] = self.average.weights
        if self.scaler is not None:
            state["scaler"] = self.scaler.state_dict()
        state = gathered(state, kept=writes)
        if writes:
            checkpoints.save(state, progress)

    def resume(self, checkpoints: Checkpoints) -> Progress:
        """Take everything from the newest whole checkpoint; without one, all is at its beginning.

        Raises:
            DataError: no checkpoint is whole, or it is of another model.
        """
        found = checkpoints.newest()
        if found is None:
            return Progress()
        state, progress = found
        try:
            own = self.task.state_dict()
            self.task.load_state_dict(
                {name: part_like(value, own.get(name, value)) for name, value in state["model"].items()}
            )
            self.optimiser.load_state_dict(self.parts_of(state["optimizer"]))
            if self.average is not None:  # begun without: from here on
                self.average.load(state.get("model_ema", dict(self.task.named_parameters())))
            if self.scaler is not None and "scaler" in state:
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            raise DataError(
                f"{checkpoints.folder}: the checkpoint is of another model: {str(error).splitlines()[0]}"
            ) from None
        return progress

    def parts_of(self, state: dict[str, Any]) -> dict[str, Any]:
        """This process's part of the optimiser's state, which numbers the parameters through all groups."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        moments = {
            number: {name: part_like(value, parameters[number]) for name, value in values.items()}
            for number, values in state["state"].items()
        }
        return {**state, "state": moments}


def write(folder: Path, state: dict[str, Any]) -> None:
    """`state.pt` and `COMMIT.json`, on the disk."""
    with (folder / STATE).open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    manifest = {STATE: {"bytes": (folder / STATE).stat().st_size, "sha256": digest(folder / STATE)}}
    (folder / COMMIT).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    sync(folder / COMMIT)
    sync(folder)


def verify(folder: Path) -> None:
    """Compare every file with the manifest.

    Raises:
        DataError: one is missing or not as it was written, or there is no manifest.
    """
    try:
        manifest = json.loads((folder / COMMIT).read_text(encoding="utf-8"))
        files = {name: (facts["bytes"], facts["sha256"]) for name, facts in manifest.items()}
        if STATE not in files:
            raise DataError(f"{folder / COMMIT} tells of no {STATE}")
        for name, expected in files.items():
            path = folder / Path(name).name
            if (path.stat().st_size, digest(path)) != expected:
                raise DataError(f"{path} is not as it was written")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{folder} is not whole: {error}") from None


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint is there as it was written."""
    try:
        verify(folder)
    except DataError:
        return False
    return True


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
