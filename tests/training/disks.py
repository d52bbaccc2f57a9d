"""Small file systems, to be filled."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Yield a file system of its own at `place`; skip the test, except in CI, if mounting is forbidden."""
    place.mkdir()
    asking = ["sudo", "--non-interactive"] if os.geteuid() else []
    command = [*asking, "mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", place]
    if (
        shutil.which(command[0]) is None
        or subprocess.run(command, check=False, capture_output=True).returncode
    ):
        (pytest.fail if "CI" in os.environ else pytest.skip)("mounting is not permitted here")
    try:
        yield place
    finally:
        subprocess.run([*asking, "umount", place], check=True)
