"""From what a user names to a file or folder on this machine, and what is known of it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DataError, UsageError, printable
from ..files.folder import CONFIG, WEIGHTS
from . import cache, hub
from .checkpoints import DEFAULT, Checkpoint, aliases, locate
from .facts import Facts
from .progress import shown

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".pkl", ".zip")
NOTHING = Facts()


@dataclass(frozen=True)
class Source:
    """A file of weights, or a saved model's folder, on this machine; `said` by its publishers, for people."""

    path: Path
    facts: Facts = NOTHING
    said: tuple[str, ...] = ()


def find_source(name: str | os.PathLike[str] | None) -> Source:
    """The file, folder, checkpoint or repository (`hf:org/name`) of that name; None: what comes with swinkit.

    Raises:
        DataError: it is not there, or not what it should be.
        UsageError: an unknown name.
        EnvironmentProblem: it cannot be downloaded.
    """
    if name is None:
        return of_checkpoint(locate(DEFAULT))
    if isinstance(name, str) and name.startswith(hub.PREFIX):
        path, facts = hub.fetch(name)
        return Source(path, facts)
    path = Path(name)
    try:
        path.exists()
    except OSError as error:  # a name too long, a link to itself, a folder that may not be entered
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if path.is_file() and path.name == WEIGHTS and (path.parent / CONFIG).is_file():
        raise UsageError(f"{path} is part of a saved model; load its folder, {path.parent}")
    if path.exists():
        return Source(path)
    if path.suffix in SUFFIXES or path.is_absolute():
        known = aliases().get(path.stem)
        hint = f"; a checkpoint of this name is {known!r}" if known else ""
        raise DataError(f"{path}: no such file or folder{hint}")
    return of_checkpoint(locate(path.as_posix()))


def of_checkpoint(checkpoint: Checkpoint) -> Source:
    """A published checkpoint, downloaded if it is not here."""
    if checkpoint.folder is not None:
        return Source(checkpoint.folder)
    said = (f"published: {checkpoint.source}, licence {checkpoint.licence}", *reported(checkpoint))
    if checkpoint.repository is not None:
        path, facts = hub.fetch(hub.PREFIX + checkpoint.repository)
        return Source(path, replace(facts, preprocess=checkpoint.preprocess or facts.preprocess), said)
    with shown(f"downloading {checkpoint.name}") as watch:
        path = cache.fetch(checkpoint, watch)
    facts = Facts(variant=checkpoint.variant, dialect=checkpoint.dialect, preprocess=checkpoint.preprocess)
    return Source(path, facts, said)


def reported(checkpoint: Checkpoint) -> list[str]:
    """What was measured by those who published it, and their remark."""
    numbers = ", ".join(f"{metric} {value:g}" for metric, value in checkpoint.reported.items())
    return [f"reported: {numbers}"] * bool(numbers) + [f"note: {checkpoint.note}"] * bool(checkpoint.note)
