"""Resolution of a user's name for a model to a file or folder on this machine, with its facts.

What downloads, and what reads files of ranks, is imported where it is used: a model on this machine waits for
neither.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DataError, UsageError, printable
from ..files.folder import CONFIG, LABELS, PREPROCESS, WEIGHTS
from ..type_check import expand_home
from .checkpoints import HUB, Checkpoint, aliases, find_checkpoint, is_path, refuse_run
from .hub_configs import Facts
from .progress import progress_bar
from .repo_files import (
    OLD_WEIGHTS,
    find_weights,
    is_from_swinkit,
    is_known,
    make_finder,
    read_facts,
    settings_of,
)

NOTHING = Facts()
PACKAGED = Path(__file__).parent / "embedded" / "swin-pico-cifar-10"


@dataclass(frozen=True)
class ResolvedModel:
    """File of weights, or folder of a saved model, on this machine; `said` are its publishers' remarks.

    A folder of a Swin-MoE's files of ranks is `ranked`, and read like one file of weights.
    """

    path: Path
    facts: Facts = NOTHING
    said: tuple[str, ...] = ()
    ranked: bool = False


def resolve_model(name: str | os.PathLike[str] | None) -> ResolvedModel:
    """Resolve a file, folder, checkpoint or repository (`hf:org/name`); None is the packaged model.

    Raises:
        DataError: it is not there, or not what it should be.
        UsageError: an unknown name.
        EnvironmentProblem: it cannot be downloaded.
    """
    if name is None:
        return ResolvedModel(PACKAGED)
    if isinstance(name, str) and name.startswith(HUB):
        from . import hub

        path, facts = hub.fetch_repository(name)
        return ResolvedModel(path, facts)
    path = expand_home(name)
    try:
        if path.exists():
            return resolve_path(path)
    except OSError as error:  # a name too long, a link to itself, a folder that may not be entered
        raise DataError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if is_path(path):
        known = aliases().get(path.stem)
        hint = f"; a checkpoint of this name is {known!r}" if known else ""
        raise DataError(f"{path}: no such file or folder{hint}")
    return resolve_checkpoint(find_checkpoint(path.as_posix()))


def resolve_path(path: Path) -> ResolvedModel:
    """Resolve a local file or folder, with the facts in another library's config.json.

    Raises:
        DataError: the config.json is damaged, or describes no Swin that swinkit has.
        UsageError: the weights of a saved model, without the rest.
    """
    if path.is_dir():
        return resolve_folder(path)
    if path.name not in (WEIGHTS, OLD_WEIGHTS):
        return ResolvedModel(path)
    find, where = make_finder(path.parent), f"{path.parent}{os.sep}"
    config = settings_of(find, CONFIG, where)
    if config is not None and is_from_swinkit(config):
        raise UsageError(f"{path} is part of a saved model; load its folder, {path.parent}")
    if config is None or not is_known(config):
        return ResolvedModel(path)
    return ResolvedModel(path, read_facts(config, find, where))


def resolve_folder(folder: Path) -> ResolvedModel:
    """Resolve a saved model, files of ranks, or a folder of timm or transformers to its weights.

    Raises:
        DataError: it is another library's, and damaged or of no Swin that swinkit has.
        UsageError: it is a run.
    """
    from ..weights.rank_files import is_ranked

    refuse_run(folder)
    if is_ranked(folder):
        return ResolvedModel(folder, ranked=True)
    find, where = make_finder(folder), f"{folder}{os.sep}"
    config = settings_of(find, CONFIG, where)
    if is_from_swinkit(config) if config is not None else find(PREPROCESS) or find(LABELS):
        return ResolvedModel(folder)  # whose reader reports what is missing
    facts = NOTHING if config is None else read_facts(config, find, where)
    weights = find_weights(find, str(folder))
    if weights is None and config is not None:
        raise DataError(f"{folder} has no {WEIGHTS} and no {OLD_WEIGHTS} beside {CONFIG}; put one there")
    return ResolvedModel(folder) if weights is None else ResolvedModel(weights, facts)


def resolve_checkpoint(checkpoint: Checkpoint) -> ResolvedModel:
    """Resolve a published checkpoint, and download it if it is not cached."""
    if checkpoint.folder is not None:
        return ResolvedModel(checkpoint.folder)
    said = (f"published: {checkpoint.source}, licence {checkpoint.licence}", *published_results(checkpoint))
    if checkpoint.repository is not None:
        from . import hub

        path, facts = hub.fetch_repository(HUB + checkpoint.repository)
        return ResolvedModel(path, replace(facts, preprocess=checkpoint.preprocess or facts.preprocess), said)
    from . import cache

    with progress_bar(f"downloading {checkpoint.name}") as watch:
        path = cache.fetch_checkpoint(checkpoint, watch)
    facts = Facts(
        variant=checkpoint.variant,
        dialect=checkpoint.dialect,
        preprocess=checkpoint.preprocess,
        is_published=True,
    )
    return ResolvedModel(path, facts, said)


def published_results(checkpoint: Checkpoint) -> list[str]:
    """Return the publishers' results, and their remark."""
    numbers = ", ".join(f"{metric} {value:g}" for metric, value in checkpoint.reported.items())
    return [f"reported: {numbers}"] * bool(numbers) + [f"note: {checkpoint.note}"] * bool(checkpoint.note)
