"""Paths of checkpoints on this machine. Torch-free and quick, for the tables of checkpoints."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from ..data.paths import cache_root
from .checkpoints import Checkpoint

DRIVE = "drive.google.com"
HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def is_network_forbidden() -> bool:
    """Return whether `$SWINKIT_OFFLINE` forbids the network."""
    return os.environ.get("SWINKIT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def cached_path(checkpoint: Checkpoint) -> Path:
    """Return the path of a checkpoint's file, downloaded or not."""
    name = Path(urlsplit(checkpoint.address).path).name
    if urlsplit(checkpoint.address).hostname == DRIVE:  # its addresses name no file
        name = f"{checkpoint.aliases[0]}.pth"
    return cache_root() / checkpoint.variant / checkpoint.dataset / name


def is_cached(checkpoint: Checkpoint) -> bool:
    """Return whether the weights are here; the folder is looked at, the file is not checked."""
    if checkpoint.repository is not None:
        snapshots = hub_folder(checkpoint.repository) / "snapshots"
        return any(path.name in HUB_WEIGHTS for path in snapshots.glob("*/*"))
    return checkpoint.folder is not None or cached_path(checkpoint).is_file()


def hub_folder(repository: str) -> Path:
    """Return huggingface_hub's folder of a repository without importing that library."""
    shared = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{shared}/huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()
    return folder / f"models--{repository.replace('/', '--')}"
