"""Where the weights of checkpoints lie on this machine. Torch-free and quick, for the tables of them."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from ..data.cache import root
from .checkpoints import Checkpoint

DRIVE = "drive.google.com"
HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def offline() -> bool:
    """Whether `$SWINKIT_OFFLINE` forbids the network."""
    return os.environ.get("SWINKIT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def place(checkpoint: Checkpoint) -> Path:
    """Where the file of a checkpoint lies once it is downloaded."""
    name = Path(urlsplit(checkpoint.address).path).name
    if urlsplit(checkpoint.address).hostname == DRIVE:  # its addresses name no file
        name = f"{checkpoint.aliases[0]}.pth"
    return root() / checkpoint.variant / checkpoint.dataset / name


def is_cached(checkpoint: Checkpoint) -> bool:
    """Whether its weights are here, so that no network is needed; a look at the folder, no check."""
    if checkpoint.repository is not None:
        snapshots = hub_folder(checkpoint.repository) / "snapshots"
        return any(path.name in HUB_WEIGHTS for path in snapshots.glob("*/*"))
    return checkpoint.folder is not None or place(checkpoint).is_file()


def hub_folder(repository: str) -> Path:
    """Where huggingface_hub keeps a repository, told without importing it."""
    shared = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{shared}/huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()
    return folder / f"models--{repository.replace('/', '--')}"
