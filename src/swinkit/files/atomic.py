"""Atomic writer of files and folders: a name holds the old content or the new one, never a part.

Every file that the package writes for good goes through `atomic_write`, or through `replace_file` where a
partial file must outlive a failure. Torch-free.
"""

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EnvironmentProblem, UsageError, listed

PARTIAL, OLD = ".partial", ".old"


@contextmanager
def atomic_write(
    path: Path, otherwise: str = "nothing there was changed", *, durable: bool = True
) -> Iterator[Path]:
    """Yield a free path beside `path`; the file or folder that the block writes there becomes `path`.

    The new content is forced onto the disk before it takes the name, unless it need not be `durable` after a
    power failure. If the block or a later step fails, even by an interrupt, `path` keeps its old content and
    nothing else is left. A file replaces a file, and a folder a folder.

    Raises:
        EnvironmentProblem: an OSError prevented the writing; `otherwise` ends the message.
    """
    place, token = path.absolute(), uuid.uuid4().hex[:8]
    # The ending stays the last one because libraries choose a format by it.
    partial, old = (place.with_name(f".{place.stem}.{token}{end}{place.suffix}") for end in (PARTIAL, OLD))
    try:
        yield partial
        if durable:
            sync_tree(partial)
        if partial.is_dir():
            replace_folder(partial, place, old)
        else:
            replace_file(partial, place, durable=durable)
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentProblem(f"{path} cannot be written ({reason}); {otherwise}") from None
    finally:
        remove(partial)
        if place.exists():
            remove(old)


def replace_file(new: Path, path: Path, *, durable: bool = True) -> None:
    """Give the file `new` the name `path`, in one step.

    Raises:
        OSError: the file system refuses; `new` is still there, or `path` is the new file.
    """
    if durable:
        sync(new)
    new.replace(path)
    if durable:
        sync(path.parent)


def replace_folder(new: Path, path: Path, old: Path) -> None:
    """Give the folder `new` the name `path`; a folder of that name moves to `old`, and back on failure."""
    try:
        if path.is_dir():
            path.replace(old)
        new.replace(path)
        sync(path.parent)
    except BaseException:  # an interrupt too
        if not new.exists():
            path.replace(new)
        if old.exists():
            old.replace(path)
        raise


def sync_tree(path: Path) -> None:
    """Force a file, or a folder with everything in it, onto the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            sync_tree(entry)
    sync(path)


def sync(path: Path) -> None:
    """Force a file, or the list of a folder's entries, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file or folder if it is there; leave it if the system does not allow that."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def remove_leftovers(folder: Path) -> None:
    """Delete the partial files and folders that a killed process left in `folder`."""
    for path in folder.glob(".*"):
        if {PARTIAL, OLD} & set(path.suffixes):
            remove(path)


def refuse_to_replace(folder: Path, names: Collection[str], title: str) -> None:
    """Raise unless `folder` can be written anew without loss: it is free, or holds files of `names` only.

    `title` names in the message what is to be written, such as "saved model".

    Raises:
        UsageError: it is a file or a link, or holds anything else.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder; choose another name for the {title}")
    present = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    strangers = sorted(set(present) - set(names))
    if strangers:
        raise UsageError(f"{folder} holds {listed(strangers)}, which would be lost; choose another folder")
