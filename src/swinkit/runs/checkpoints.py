"""Checkpoints of a training: each of them whole and verified, or passed over.

One is a folder `epoch-0003-step-00000120` of `state.pt` and `COMMIT.json`, the sizes and hashes of its files.
It is written under another name and takes its own when it is on the disk; older ones go after that.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files.atomic import atomic_write, remove_leftovers, sync
from ..files.structure import sha256_of
from ..files.tensors import read_torch, write_torch
from .progress import Progress

logger = logging.getLogger(__name__)

STATE, COMMIT = "state.pt", "COMMIT.json"
KEPT = "earlier checkpoints are kept: make room, and resume the run"
PROGRESS = "progress"  # the entry of the state that tells how far it is


class Checkpoints:
    """The folder of them. Of several processes one writes."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __iter__(self) -> Iterator[Path]:
        """Iterate from the newest to the oldest, whole or not."""
        return iter(sorted(self.folder.glob("epoch-*"), reverse=True))

    def save(self, state: dict[str, Any], progress: Progress) -> None:
        """Write `state`, tensors and plain values, as the checkpoint of `progress`; then older ones go.

        Raises:
            EnvironmentProblem: it cannot be written; the older ones are kept.
            DataError: it is not on the disk as it was written; the older ones are kept.
        """
        target = self.folder / progress.name()
        if is_whole(target):  # stopped again before the first step since
            return
        remove_leftovers(self.folder)
        with atomic_write(target, KEPT) as partial:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                sync(self.folder.parent)
            partial.mkdir()
            write(partial, {**state, PROGRESS: vars(progress)})
        self._prune(target)

    def _prune(self, kept: Path) -> None:
        """Remove all but `kept`, if that can be read back."""
        verify(kept)
        for other in self:
            if other != kept:
                shutil.rmtree(other, ignore_errors=True)

    def newest(self) -> tuple[dict[str, Any], Progress] | None:
        """Return state and progress of the newest whole checkpoint, with a warning for each damaged one.

        Raises:
            DataError: there are some, and none is whole; or another version of swinkit wrote it.
        """
        found = list(self)
        for folder in found:
            try:
                verify(folder)
                with (folder / STATE).open("rb") as file:
                    state = read_torch(folder / STATE, file)
                if not (isinstance(state, dict) and isinstance(state.get(PROGRESS), dict)):
                    raise DataError(f"{folder / STATE} holds no state of a training")
            except DataError as error:
                logger.warning("passed over a damaged checkpoint: %s", error)
                continue
            try:
                return state, Progress.of(state.pop(PROGRESS))
            except TypeError:
                raise DataError(
                    f"{folder} was written by another version of swinkit, which counts progress in other "
                    f"numbers; go on with that version (env.json in the run's folder names it)"
                ) from None
        if found:
            raise DataError(
                f"{self.folder}: no checkpoint is whole, so the run cannot go on; its models are best and "
                "last beside it; to train anew, choose another folder"
            )
        return None


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write `state.pt` and `COMMIT.json`."""
    write_torch(folder / STATE, state)
    manifest = {STATE: {"bytes": (folder / STATE).stat().st_size, "sha256": sha256_of(folder / STATE)}}
    (folder / COMMIT).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def verify(folder: Path) -> None:
    """Compare every file with the manifest.

    Raises:
        DataError: one is missing or not as it was written, or there is no manifest.
    """
    try:
        manifest = json.loads((folder / COMMIT).read_text(encoding="utf-8"))
        files = {name: (facts["bytes"], facts["sha256"]) for name, facts in manifest.items()}
        if STATE not in files:
            raise DataError(f"{folder / COMMIT} does not list {STATE}")
        for name, expected in files.items():
            path = folder / Path(name).name
            if (path.stat().st_size, sha256_of(path)) != expected:
                raise DataError(f"{path} is not as it was written")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{folder} is not whole: {error}") from None


def is_whole(folder: Path) -> bool:
    """Return whether a checkpoint is there as it was written."""
    try:
        verify(folder)
    except DataError:
        return False
    return True
