"""Resolve a user's name for a model to a file or folder on this machine, and its facts.

What downloads, and what reads files of ranks, is imported where it is used: a model on this machine waits for
neither.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DataError, UsageError, printable
from ..files.folder import CONFIG, LABELS, PREPROCESS, WEIGHTS
from .checkpoints import HUB, Checkpoint, aliases, is_path, locate, refuse_run
from .hub_configs import Facts
from .progress import progress_bar
from .repo_files import OLD_WEIGHTS, finder_in, is_known, is_ours, read_facts, settings_of, weights_in

NOTHING = Facts()
PACKAGED = Path(__file__).parent / "embedded" / "swin-pico-cifar-10"


@dataclass(frozen=True)
class Source:
    """File of weights, or folder of a saved model, on this machine; `said` are its publishers' remarks.

    A folder of a Swin-MoE's files of ranks is `ranked`, and read like one file of weights.
    """

    path: Path
    facts: Facts = NOTHING
    said: tuple[str, ...] = ()
    ranked: bool = False


def find_source(name: str | os.PathLike[str] | None) -> Source:
    """Resolve a file, folder, checkpoint or repository (`hf:org/name`); None is the packaged model.

    Raises:
        DataError: it is not there, or not what it should be.
        UsageError: an unknown name.
        EnvironmentProblem: it cannot be downloaded.
    """
    if name is None:
        return Source(PACKAGED)
    if isinstance(name, str) and name.startswith(HUB):
        from . import hub

        path, facts = hub.fetch(name)
        return Source(path, facts)
    path = Path(name)
    try:
        if path.exists():
            return of_path(path)
    except OSError as error:  # a name too long, a link to itself, a folder that may not be entered
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if is_path(path):
        known = aliases().get(path.stem)
        hint = f"; a checkpoint of this name is {known!r}" if known else ""
        raise DataError(f"{path}: no such file or folder{hint}")
    return of_checkpoint(locate(path.as_posix()))


def of_path(path: Path) -> Source:
    """Resolve a local file or folder, with the facts in another library's config.json.

    Raises:
        DataError: the config.json is damaged, or describes no Swin that swinkit has.
        UsageError: the weights of a saved model, without the rest.
    """
    if path.is_dir():
        return of_folder(path)
    if path.name not in (WEIGHTS, OLD_WEIGHTS):
        return Source(path)
    find, where = finder_in(path.parent), f"{path.parent}{os.sep}"
    config = settings_of(find, CONFIG, where)
    if config is not None and is_ours(config):
        raise UsageError(f"{path} is part of a saved model; load its folder, {path.parent}")
    if config is None or not is_known(config):
        return Source(path)
    return Source(path, read_facts(config, find, where))


def of_folder(folder: Path) -> Source:
    """Resolve a saved model, files of ranks, or a folder of timm or transformers to its weights.

    Raises:
        DataError: it is another library's, and damaged or of no Swin that swinkit has.
        UsageError: it is a run.
    """
    from ..weights.rank_files import is_ranked

    refuse_run(folder)
    if is_ranked(folder):
        return Source(folder, ranked=True)
    find, where = finder_in(folder), f"{folder}{os.sep}"
    config = settings_of(find, CONFIG, where)
    if is_ours(config) if config is not None else find(PREPROCESS) or find(LABELS):
        return Source(folder)  # whose reader reports what is missing
    facts = NOTHING if config is None else read_facts(config, find, where)
    weights = weights_in(find, str(folder))
    if weights is None and config is not None:
        raise DataError(f"{folder} has no {WEIGHTS} and no {OLD_WEIGHTS} beside {CONFIG}; put one there")
    return Source(folder) if weights is None else Source(weights, facts)


def of_checkpoint(checkpoint: Checkpoint) -> Source:
    """Resolve a published checkpoint, and download it if it is not cached."""
    if checkpoint.folder is not None:
        return Source(checkpoint.folder)
    said = (f"published: {checkpoint.source}, licence {checkpoint.licence}", *published_results(checkpoint))
    if checkpoint.repository is not None:
        from . import hub

        path, facts = hub.fetch(HUB + checkpoint.repository)
        return Source(path, replace(facts, preprocess=checkpoint.preprocess or facts.preprocess), said)
    from . import cache

    with progress_bar(f"downloading {checkpoint.name}") as watch:
        path = cache.fetch(checkpoint, watch)
    facts = Facts(variant=checkpoint.variant, dialect=checkpoint.dialect, preprocess=checkpoint.preprocess)
    return Source(path, facts, said)


def published_results(checkpoint: Checkpoint) -> list[str]:
    """Return the publishers' results, and their remark."""
    numbers = ", ".join(f"{metric} {value:g}" for metric, value in checkpoint.reported.items())
    return [f"reported: {numbers}"] * bool(numbers) + [f"note: {checkpoint.note}"] * bool(checkpoint.note)
