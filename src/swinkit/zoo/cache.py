"""Cache of downloaded checkpoints, and the checks that a cached file is intact. Torch-free.

A checkpoint lies at ROOT/VARIANT/DATASET/FILE, with its record in `FILE.json`. Its SHA-256 begins as the
table of checkpoints says or, where nobody published one, is that of the first download.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..data.paths import cache_root
from ..errors import DataError, EnvironmentProblem, SwinkitError
from ..files.atomic import atomic_write, replace_file
from ..files.structure import require_weights, sha256_of
from .checkpoints import Checkpoint, published_checkpoints
from .download import ResumeMark, Watch, disk_errors, download, file_size
from .paths import DRIVE, cached_path, is_network_forbidden

logger = logging.getLogger(__name__)

DRIVE_FILES = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
PARTIAL, RECORD = ".partial", ".json"
LOCKS = ".locks"  # a folder of its own, because a lock must outlive the file it protects


@dataclass(frozen=True)
class DownloadRecord:
    """Record of a file in the cache."""

    name: str  # of the checkpoint
    address: str
    sha256: str
    size: int
    modified: int  # nanoseconds, from the file system
    date: str
    compared: bool  # with a published hash; else it was the first to be seen

    @classmethod
    def read(cls, path: Path) -> "DownloadRecord | None":
        """Return the record of the file `path`; None if there is none."""
        try:
            return cls(**json.loads(companion_path(path, RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Write the record beside the file."""
        with atomic_write(companion_path(path, RECORD), "choose another folder with SWINKIT_CACHE") as new:
            new.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def companion_path(path: Path, ending: str) -> Path:
    """Return the path of a file that accompanies `path`."""
    return path.with_name(path.name + ending)


def address_of(checkpoint: Checkpoint) -> str:
    """Return the address of the bytes: behind the page on Google Drive, or below `$SWINKIT_MIRROR`."""
    address, mirror = checkpoint.address, os.environ.get("SWINKIT_MIRROR")
    parts = urlsplit(address)
    if mirror:
        return mirror.rstrip("/") + parts.path
    return DRIVE_FILES.format(parts.path.split("/")[3]) if parts.hostname == DRIVE else address


def fetch_checkpoint(checkpoint: Checkpoint, watch: Watch) -> Path:
    """Return the file of a checkpoint, downloaded if it is not in the cache.

    Raises:
        DataError: it does not exist any more, or differs from the published or first downloaded file.
        EnvironmentProblem: no network, no space, or the network is forbidden.
    """
    path = cached_path(checkpoint)
    try:
        if is_intact(path):
            return path
        with lock(path):
            if not is_intact(path):  # because another process may have downloaded it meanwhile
                download_checkpoint(checkpoint, path, watch)
    except SwinkitError as error:
        raise type(error)(
            f"{checkpoint.name}: {error}. By hand: fetch {checkpoint.address} elsewhere and "
            f"put the file at {path}, or give it to swinkit.load"
        ) from None
    return path


def download_checkpoint(checkpoint: Checkpoint, path: Path, watch: Watch) -> None:
    """Download the file unless a user put it there, check it, and write its record."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path if path.exists() else companion_path(path, PARTIAL)
    if new != path:
        if is_network_forbidden():
            raise EnvironmentProblem(
                "it is not in the cache, and the network is forbidden (--offline, or $SWINKIT_OFFLINE)"
            )
        download(address_of(checkpoint), new, watch)
    try:
        require_weights(new)
        digest = sha256_of(new)
        if not digest.startswith(checkpoint.sha256 or ""):
            raise DataError(f"its SHA-256 is {digest}, but {checkpoint.sha256}... was published")
    except DataError as error:
        if new == path:
            raise
        remove_partial(new)  # because it was downloaded here and is of no use
        raise DataError(f"{address_of(checkpoint)}: {error}") from None
    with disk_errors(path):
        state = new.stat()
        replace_file(new, path)
    ResumeMark.path(companion_path(path, PARTIAL)).unlink(missing_ok=True)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    known = checkpoint.sha256 is not None
    DownloadRecord(
        checkpoint.name, checkpoint.address, digest, state.st_size, state.st_mtime_ns, date, known
    ).write(path)


def is_intact(path: Path) -> bool:
    """Return whether the file is there as recorded; a file that was touched since is hashed again.

    Raises:
        DataError: it is another file than was recorded.
    """
    record = DownloadRecord.read(path)
    if record is None or not path.is_file():
        return False
    state = path.stat()
    if (state.st_size, state.st_mtime_ns) != (record.size, record.modified) and sha256_of(
        path
    ) != record.sha256:
        raise DataError(
            f"{path} is not what was downloaded on {record.date} any more; remove it with "
            f"`swinkit cache clear {record.name}`"
        )
    return True


def remove_partial(partial: Path) -> None:
    """Remove a partial file and its mark."""
    for path in (partial, ResumeMark.path(partial)):
        path.unlink(missing_ok=True)


@contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes from fetching or removing the file; the lock of a killed process is released.

    Raises:
        EnvironmentProblem: another process holds the lock and `wait` is False, or it cannot be written.
    """
    from filelock import FileLock, Timeout  # here, because it imports asyncio

    lock = FileLock(cache_root() / LOCKS / f"{path.parent.parent.name}-{path.parent.name}-{path.name}.lock")
    with disk_errors(path):
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if not wait:
                raise EnvironmentProblem(f"{path} is being downloaded by another process") from None
            logger.warning("%s is being downloaded by another process; waiting for it", path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class CachedFile:
    """File in the cache; `record` is None while its download has not ended."""

    path: Path
    name: str
    size: int
    record: DownloadRecord | None


def list_cached_files() -> list[CachedFile]:
    """List the files in the cache, whole or partial, sorted by name."""
    found = []
    for path in (
        cached_path(row) for row in published_checkpoints().values() if row.address.startswith("https:")
    ):
        name = f"{path.parent.parent.name}/{path.parent.name}"
        record, partial = DownloadRecord.read(path), companion_path(path, PARTIAL)
        if record is not None and path.is_file():
            found.append(CachedFile(path, name, file_size(path), record))
        elif partial.is_file():
            found.append(CachedFile(partial, name, file_size(partial), None))
    return sorted(found, key=lambda entry: entry.name)


def remove_cached_file(entry: CachedFile) -> None:
    """Delete a file of the cache and the files that accompany it, and then folders that are empty.

    Raises:
        EnvironmentProblem: another process is downloading it, or it cannot be deleted.
    """
    path = entry.path.with_name(entry.path.name.removesuffix(PARTIAL))
    with lock(path, wait=False), disk_errors(path):
        for ending in ("", RECORD, PARTIAL, PARTIAL + RECORD):
            companion_path(path, ending).unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            if any(folder.iterdir()):
                break
            folder.rmdir()
