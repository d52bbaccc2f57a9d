"""Lock of a run folder, held by the process that trains there, so that two trainings never share a folder.

It is a POSIX record lock (`fcntl.lockf`) and not the library `filelock`, because it ends with the process,
however that ends, and the workers that read data never inherit it. The file names its holder for the message
to others. It is left in place, because removing it could take away another process's lock.
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

LOCK = ".lock"  # hidden, because it is no part of a run's record
LONGEST = 200  # bytes to read of the holder's description
LACKING = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
)  # errors of a file system without locks


class Lock:
    """Lock of `folder`, held until `release`, or until this object or the process is gone.

    Raises:
        UsageError: another process trains in `folder`.
        EnvironmentProblem: the system has no such locks: Windows.
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path):
        require_locks()
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.release = weakref.finalize(self, os.close, file)
        if take(file, folder):
            os.ftruncate(file, 0)
            os.write(file, f"{describe_holder()}\n".encode())


def require_locks() -> None:
    """Raise EnvironmentProblem where the system has no such locks."""
    try:
        import fcntl  # noqa: F401  here, so that this module can be imported on Windows
    except ImportError:
        raise EnvironmentProblem(
            "training needs Linux or macOS, whose locks keep a second one out; on Windows, use WSL"
        ) from None


def require_free(folder: Path) -> None:
    """Refuse what `Lock` refuses, and write nothing.

    Raises:
        UsageError, EnvironmentProblem, OSError: as `Lock`.
    """
    require_locks()
    if (folder / LOCK).exists():
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            take(file, folder)
        finally:
            os.close(file)


def take(file: int, folder: Path) -> bool:
    """Lock an open file; return False, with a warning, on a file system without locks.

    Raises:
        UsageError: another process holds it.
        OSError: it cannot be locked.
    """
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in LACKING:
            logger.warning(
                "%s is on a file system without locks; only one training at a time may use it", folder
            )
            return False
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        holder = printable(os.read(file, LONGEST).decode("utf-8", "replace").strip())
        raise UsageError(
            f"{folder} is in use: {holder or 'another process'} trains in it; wait for it, stop it, "
            "or choose another folder"
        ) from None
    return True


def describe_holder() -> str:
    """Describe this process for others."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return f"process {os.getpid()} on {platform.node()}, since {since},"
