"""Readers and writers of files of tensors. Reading never runs code from a file."""

import logging
import os
import stat
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO

import torch

from ..errors import DataError, listed
from .archives import read_pickle
from .arrays import read_arrays
from .contents import Contents, State, unwrap
from .pickle_allowlist import inspect, inspect_legacy
from .pickle_stubs import allow_stubs
from .plain import read_safetensors
from .structure import LEGACY, ZIP

logger = logging.getLogger(__name__)

PICKLE = b"\x80"


def read_state(path: str | os.PathLike[str]) -> State:
    """Read the tensors of a file of weights, by name; the wrappers that were opened are logged.

    Raises:
        DataError, UsageError: see `read_contents`.
    """
    contents = read_contents(path)
    if contents.wrappers:
        logger.info(
            "%s: opened %s, ignored %s",
            path,
            listed(contents.wrappers),
            listed(contents.ignored) or "nothing",
        )
    return contents.state


def read_contents(path: str | os.PathLike[str], entry: str | None = None) -> Contents:
    """Read the tensors of a .safetensors file, a torch file or a pickle of arrays, and their wrappers.

    The file's first bytes decide the format. `entry` names the dictionary to open where a run kept
    several, such as raw weights and `model_ema`; by default the raw ones.

    Raises:
        DataError: the file is missing, empty or damaged, or holds no tensors, or what could run code.
        UsageError: it has no such `entry`.
    """
    path = Path(path)
    before = require_regular(path)
    try:
        with path.open("rb") as file:  # once: what is inspected is what is read
            contents = read_open_file(path, file, entry)
        changed = change_marker(path.stat()) != change_marker(before)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{path} needs more memory than this machine has free") from None
    if changed:
        raise DataError(f"{path} changed while it was read; wait until it is whole, and load it again")
    return contents


def read_open_file(path: Path, file: BinaryIO, entry: str | None) -> Contents:
    """Read an open file in the format that its first bytes show."""
    begin = file.read(64)
    if path.suffix.lower() == ".safetensors" or begin[8:9] == b"{":
        return unwrap(read_safetensors(path), path, entry)
    if begin.startswith(ZIP) or (begin.startswith(PICKLE) and begin[2:].startswith(LEGACY)):
        return unwrap(read_torch(path, file), path, entry)
    if begin.startswith(PICKLE):
        file.seek(0)
        return unwrap(read_arrays(file.read(), path), path, entry)
    raise DataError(f"{path} is no file of weights{likely_content(begin)}, or a damaged one")


def require_regular(path: Path) -> os.stat_result:
    """Return the status of a file that is not empty; opening a pipe or a device could block forever.

    Raises:
        DataError: it is none.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise DataError(f"{path} cannot be read: {error}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(
            f"{path} is a folder, not a file of weights; a saved model's folder is read by swinkit.load"
        )
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is a pipe, socket or device, not a file; copy its contents into one")
    if status.st_size == 0:
        raise DataError(f"{path} is empty; copy or download it again")
    return status


def change_marker(status: os.stat_result) -> tuple[int, int, int]:
    """Return values that change when a file is written to or replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def likely_content(begin: bytes) -> str:
    """Return the likely kind of a file without weights, for a message."""
    if begin.startswith(b"version https://git-lfs"):
        return ", but a pointer of Git LFS to it (`git lfs pull` fetches the file)"
    if begin.lstrip().startswith(b"<"):
        return ", but a web page (its address asked for something first; download it again)"
    return ""


def write_torch(path: Path, content: object) -> None:
    """Write tensors and plain values to a file by `torch.save`.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # torch's error for a failed write, raised while it handled the cause
        cause = error.__context__
        raise cause if isinstance(cause, OSError) else OSError(str(error).splitlines()[0]) from None


def read_torch(path: Path, file: BinaryIO) -> object:
    """Read a file of `torch.save` that holds tensors, plain values and the objects of `pickle_stubs`.

    Raises:
        DataError: it is damaged, or holds anything else.
    """
    try:
        inspect_torch(file)
        with warnings.catch_warnings(), allow_stubs():
            # They are about protocols and formats of files that then fail, or are read right.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except DataError as error:
        raise DataError(f"{path} is refused: {error}") from None
    except UnpicklingError:
        raise DataError(
            f"{path} is damaged, or was saved with another protocol of pickles than torch's own; copy or "
            "download it again, or have it saved by torch.save without `pickle_protocol`"
        ) from None
    except MemoryError:
        raise DataError(f"{path} needs more memory than this machine has free") from None
    except Exception as error:  # noqa: BLE001  a damaged file can fail anywhere inside torch's reader, with any error
        reason = listed([str(error).partition("\n")[0][:120] or type(error).__name__]).strip("`")
        raise DataError(
            f"{path} is no whole file of torch weights ({reason}); copy or download it again"
        ) from None


def inspect_torch(file: BinaryIO) -> None:
    """Refuse a file that could stop torch's reader; the file is at its beginning afterwards.

    Raises:
        DataError: the file claims more than it holds, or has values that no file of weights needs.
        Exception: it is damaged.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    if file.read(len(ZIP)) == ZIP:
        inspect(read_pickle(file, size), size)
    else:
        file.seek(0)
        inspect_legacy(file.read())
    file.seek(0)
