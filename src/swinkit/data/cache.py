"""Folder of everything that swinkit can download or make again. Torch-free."""

import os
from pathlib import Path


def root() -> Path:
    """Return `$SWINKIT_CACHE`, else `swinkit` in `$XDG_CACHE_HOME` or in ~/.cache."""
    own, shared = os.environ.get("SWINKIT_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own).expanduser() if own else Path(shared or "~/.cache").expanduser() / "swinkit"
