"""Where swinkit keeps what it can fetch or make again. Torch-free."""

import os
from pathlib import Path


def root() -> Path:
    """`$SWINKIT_CACHE`, else `swinkit` in `$XDG_CACHE_HOME` or in ~/.cache."""
    own, shared = os.environ.get("SWINKIT_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own).expanduser() if own else Path(shared or "~/.cache").expanduser() / "swinkit"
