"""One training at a time in a run folder: the process that trains holds a lock, and the system lets go of it.

The lock is the process's own (POSIX `fcntl`): it ends with the process, however that ends, and processes that
read data do not inherit it. The file is left where it is, since removing it could take away another's lock.
"""

import errno
import logging
import os
import platform
import weakref
from datetime import datetime
from pathlib import Path

from ..errors import EnvironmentProblem, UsageError, printable

logger = logging.getLogger(__name__)

LOCK = ".lock"  # beginning with a dot, as all that is no part of a run's record
LONGEST = 200  # bytes that are read of who holds it
LACKING = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
)  # what a file system without locks says


class Lock:
    """Held from here on until `release`, or until this or the process is gone.

    Raises:
        UsageError: on making it, another process trains in `folder`.
        EnvironmentProblem: the system has no such locks: Windows.
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path):
        try:
            import fcntl  # here, so that all but training can be imported anywhere
        except ImportError:
            raise EnvironmentProblem(
                "training needs Linux or macOS, whose locks keep a second one out; on Windows, use WSL"
            ) from None
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.release = weakref.finalize(self, os.close, file)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in LACKING:
                logger.warning(
                    "%s lies on a file system without locks; see to it that one training at a time uses it",
                    folder,
                )
                return
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            holder = printable(os.read(file, LONGEST).decode("utf-8", "replace").strip())
            raise UsageError(
                f"{folder} is in use: {holder or 'another process'} trains in it; wait for it, stop it, "
                "or choose another folder"
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{holding()}\n".encode())


def holding() -> str:
    """This process, in words for others."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return f"process {os.getpid()} on {platform.node()}, since {since},"
