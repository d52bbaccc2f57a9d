"""Checkpoints of a training: each of them whole and verified, or passed over.

One is a folder `epoch-0003-step-000120` of `state.pt` and `COMMIT.json`, the sizes and hashes of its files.
It is written under another name and takes its own when it is on the disk; older ones go after that.
"""

import hashlib
import json
import logging
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
from .muon import MATRICES
from .parallel import gathered, part_like
from .progress import Progress

logger = logging.getLogger(__name__)

STATE, COMMIT = "state.pt", "COMMIT.json"
NAMES = "names"  # in an optimiser state: of the parameters that it numbers


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
            DataError: it is not on the disk as it was written; the older ones are kept.
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
            DataError: it is not on the disk as it was written; the older ones are kept.
        """
        state: dict[str, Any] = {
            "model": self.task.state_dict(),
            "optimizer": {**self.optimiser.state_dict(), NAMES: self.names()},
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
            self.take_moments(state["optimizer"])
            if self.average is not None:  # begun without: from here on
                self.average.load(state.get("model_ema", dict(self.task.named_parameters())))
            if self.scaler is not None and "scaler" in state:
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            raise DataError(
                f"{checkpoints.folder}: the checkpoint is of another model: {str(error).splitlines()[0]}"
            ) from None
        return progress

    def names(self) -> list[str]:
        """Of the parameters, in the order in which the optimiser numbers them."""
        names = {parameter: name for name, parameter in self.task.named_parameters()}
        return [names[parameter] for group in self.optimiser.param_groups for parameter in group["params"]]

    def take_moments(self, saved: dict[str, Any]) -> None:
        """This process's part of the moments, each to the parameter of its name, however these are grouped.

        All else, such as rates and decays, stays as the recipe has it. A parameter whose moments are of
        another kind of optimiser begins without.

        Raises:
            KeyError: it is not known whose the moments are.
        """
        own, parameters = self.optimiser.state_dict(), dict(self.task.named_parameters())
        groups, before = groups_of(own), groups_of(saved)
        # Earlier versions saved no names: there the numbers tell, if the groups are still the same.
        names = self.names() if NAMES not in saved and groups == before else saved[NAMES]
        numbers, taken = {name: number for number, name in enumerate(names)}, {}
        for number, name in enumerate(self.names()):
            earlier = numbers.get(name, -1)
            if earlier in saved["state"] and before[earlier][1] == groups[number][1]:
                moments = saved["state"][earlier].items()
                taken[number] = {kind: part_like(value, parameters[name]) for kind, value in moments}
        self.optimiser.load_state_dict({**own, "state": taken})


def groups_of(optimiser: dict[str, Any]) -> dict[int, tuple[int, bool]]:
    """The number of each parameter in an optimiser's state -> its group, and whether this is Muon's."""
    return {
        number: (place, group.get(MATRICES, False))
        for place, group in enumerate(optimiser["param_groups"])
        for number in group["params"]
    }


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
