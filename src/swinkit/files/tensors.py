"""Reading the tensors of a file, and nothing but tensors: no file can run code here."""

import logging
import os
import re
import stat
import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint

from ..errors import DataError, listed
from .pickles import LEGACY_PICKLES, inspect, read_arrays
from .standins import standing_in
from .state import State
from .wrappers import Contents, plain_tensors, unwrapped

logger = logging.getLogger(__name__)

BLOCKED = re.compile(r"GLOBAL ([\w.]+)")
ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number of torch's files before 1.6


def read_state(path: str | os.PathLike[str], entry: str | None = None) -> State:
    """The tensors of a file of weights, by name; what was opened on the way is logged.

    Raises:
        DataError, UsageError: see `read_contents`.
    """
    contents = read_contents(path, entry)
    if contents.wrappers:
        logger.info(
            "%s: opened %s, ignored %s",
            path,
            listed(contents.wrappers),
            listed(contents.ignored) or "nothing",
        )
    return contents.state


def read_contents(path: str | os.PathLike[str], entry: str | None = None) -> Contents:
    """The tensors of a .safetensors or torch file or of a pickle of arrays, and the wrappers they lay in.

    Which of these it is, the file's first bytes tell. `entry` names the dictionary to open where a run kept
    several, such as raw weights and `model_ema`; by default the raw ones.

    Raises:
        DataError: the file is missing, empty or damaged, or holds no tensors, or what could run code.
        UsageError: it has no such `entry`.
    """
    path = Path(path)
    before = regular(path)
    try:
        with path.open("rb") as file:
            begin = file.read(64)
        if path.suffix.lower() == ".safetensors" or begin[8:9] == b"{":
            contents = Contents(plain_tensors(read_safetensors(path), path))
        elif begin.startswith((ZIP, LEGACY)):
            contents = unwrapped(read_torch(path), path, entry)
        elif begin.startswith(PICKLE):
            contents = unwrapped(read_arrays(path), path, entry)
        else:
            raise DataError(f"{path} is no file of weights{guess(begin)}, or a damaged one")
        changed = moment(path.stat()) != moment(before)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{path} needs more memory than this machine has free") from None
    if changed:
        raise DataError(f"{path} changed while it was read; wait until it is whole, and load it again")
    return contents


def regular(path: Path) -> os.stat_result:
    """The status of a file with something in it; opening a pipe or a device could wait for ever.

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


def moment(status: os.stat_result) -> tuple[int, int, int]:
    """What differs once a file was written to or replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def guess(begin: bytes) -> str:
    """What a file that is no weights might be."""
    if begin.startswith(b"version https://git-lfs"):
        return ", but a pointer of Git LFS to it (`git lfs pull` fetches the file)"
    if begin.lstrip().startswith(b"<"):
        return ", but a web page (its address asked for something first; download it again)"
    return ""


def read_safetensors(path: Path) -> State:
    """The tensors of a .safetensors file.

    Raises:
        DataError: it is damaged.
    """
    try:
        # The library maps the file into memory: without a copy, whoever changes the file changes the model.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        reason = listed([str(error)]).strip("`")
        raise DataError(
            f"{path} is no whole safetensors file ({reason}); copy or download it again"
        ) from None


def read_torch(path: Path) -> object:
    """What `torch.save` wrote, if it is tensors, plain values and what `standins` knows.

    Raises:
        DataError: it is damaged, or holds anything else.
    """
    try:
        inspect_torch(path)
        with warnings.catch_warnings(), standing_in():
            # They are about protocols and formats of files that then fail, or are read right.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        blocked = blocked_in(path, str(error))
        if not blocked:
            raise DataError(f"{path} is no file of torch weights, or a damaged one") from None
        raise DataError(
            f"{path} holds more than tensors: {listed(blocked)}. Loading these could run code of whoever "
            "made the file, so it is refused. If you trust its maker, convert it on a machine that you can "
            "spare: load it there with torch.load(path, weights_only=False), keep only the dictionary of "
            "tensors, and save that with safetensors.torch.save_file; then load the new file."
        ) from None
    except DataError as error:
        raise DataError(f"{path} is refused: {error}") from None
    except MemoryError:
        raise DataError(f"{path} needs more memory than this machine has free") from None
    except Exception as error:  # noqa: BLE001  a damaged file can fail anywhere inside torch's reader, with any error
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is no whole file of torch weights ({reason}); copy or download it again"
        ) from None


def inspect_torch(path: Path) -> None:
    """Refuse what would bring torch's reader to a halt.

    Raises:
        DataError: the file claims more than it holds, or has values that no file of weights needs.
        Exception: it is damaged.
    """
    if not zipfile.is_zipfile(path):
        inspect(path.read_bytes(), LEGACY_PICKLES)
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise DataError("it is compressed, or its parts overlap; save it with torch.save")
        if any("constants.pkl" in member.filename for member in members):
            raise DataError(
                "it is a TorchScript program, not weights; on a machine that you can spare, save what "
                "torch.jit.load(path).state_dict() gives with safetensors.torch.save_file"
            )
        for member in members:
            if member.filename.rpartition("/")[2] == "data.pkl":
                inspect(archive.read(member))


def blocked_in(path: Path, message: str) -> list[str]:
    """The names in a file that could run code; from torch's refusal where they cannot be listed."""
    try:
        with standing_in():
            return get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, LookupError, EOFError, UnpicklingError):  # an older format of torch's
        return BLOCKED.findall(message)
