"""Data sets of the Hugging Face hub: `hf:org/name` -> a folder in one of the layouts of `data`.

Only pictures, tables, lists and shards are downloaded, never code; huggingface_hub caches and shares them.
"""

import os
from pathlib import Path

from ..data.paths import SUFFIXES
from ..errors import DataError, EnvironmentProblem
from ..type_check import expand_home
from .checkpoints import HUB
from .hub import FORBIDDEN, client, is_offline, split_name
from .hub_errors import Unreachable, explain_hub_errors

TABLES = (".parquet", ".arrow", ".tar", ".csv")  # files that hold pictures or list them
BESIDE = ("state.json", "dataset_info.json", "dataset_dict.json", "classes.txt")


def locate_data(data: str | os.PathLike[str]) -> Path:
    """Return the path of a data set; `hf:org/name` or `hf:org/name@revision` is downloaded.

    Raises:
        UsageError: no name of a repository.
        DataError: no such repository or revision, or none with data.
        EnvironmentProblem: no connection, no permission, no space, or offline and not in the cache.
    """
    name = os.fspath(data)
    return fetch_data(name) if name.startswith(HUB) else expand_home(name)


def fetch_data(source: str) -> Path:
    """Return the folder of a data set in huggingface_hub's cache, at one revision.

    Raises:
        UsageError, DataError, EnvironmentProblem: as `locate_data`.
    """
    name, revision = split_name(source)
    patterns = [f"*{each}" for suffix in (*TABLES, *SUFFIXES) for each in (suffix, suffix.upper())]
    try:
        with explain_hub_errors(source):
            found = client().snapshot_download(
                name,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[*patterns, *(f"*{each}" for each in BESIDE)],
                local_files_only=is_offline(),
            )
    except Unreachable as problem:
        if is_offline():
            raise EnvironmentProblem(
                f"{source}: not, or not wholly, downloaded before, and {FORBIDDEN}"
            ) from None
        raise EnvironmentProblem(f"{problem}, or download it elsewhere and give its folder") from None
    folder = Path(found)
    if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
        raise DataError(
            f"{source} holds no pictures, tables or shards; if its data come from code, which is never run, "
            f"try {HUB}{name}@refs/convert/parquet, where the hub keeps them as tables"
        )
    return folder
