"""What has to be on the disk before a name is given to it. Torch-free."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file, or the entries of a folder, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
