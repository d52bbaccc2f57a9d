"""Reading the tensors of a file, and nothing but tensors: no file can run code here.

Training runs save their weights inside dictionaries of other things; these wrappers are opened by name.
"""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint

from ..errors import DataError
from .dialect import listed
from .rules import State

logger = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "module", "model_state_dict", "net")  # of several, the first is opened
BLOCKED = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True)
class Contents:
    """What a file of weights holds. `wrappers` were opened one after the other; `ignored` lay beside them."""

    state: State
    wrappers: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_state(path: str | os.PathLike[str]) -> State:
    """The tensors of a .safetensors or torch file, by name; what was opened on the way is logged.

    Raises:
        DataError: see `read_contents`.
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


def read_contents(path: str | os.PathLike[str]) -> Contents:
    """The tensors of a .safetensors or torch file, and the wrappers they lay in.

    Raises:
        DataError: the file is missing, empty or damaged, or holds no tensors, or what could run code.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, not a file of weights; a saved model's folder is read by swinkit.load"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty; copy or download it again")
    if path.suffix == ".safetensors":
        return Contents(read_safetensors(path))
    return unwrapped(read_torch(path), path)


def read_safetensors(path: Path) -> State:
    """The tensors of a .safetensors file."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is no whole safetensors file ({error}); copy or download it again") from None


def read_torch(path: Path) -> object:
    """What `torch.save` wrote, if it is tensors and plain values only."""
    try:
        with warnings.catch_warnings():
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
    except MemoryError:
        raise DataError(f"{path} needs more memory than this machine has free") from None
    except Exception as error:  # noqa: BLE001  a damaged file can fail anywhere inside torch's reader, with any error
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is no whole file of torch weights ({reason}); copy or download it again"
        ) from None


def blocked_in(path: Path, message: str) -> list[str]:
    """The names in a file that could run code; from torch's refusal where they cannot be listed."""
    try:
        return get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, LookupError, EOFError, UnpicklingError):  # an older format of torch's
        return BLOCKED.findall(message)


def unwrapped(loaded: Any, path: Path) -> Contents:
    """Open wrappers until tensors appear."""
    wrappers: list[str] = []
    ignored: list[str] = []
    while isinstance(loaded, Mapping):
        inner = next((name for name in WRAPPERS if isinstance(loaded.get(name), Mapping)), None)
        if inner is None:
            break
        wrappers.append(inner)
        ignored += [str(name) for name in loaded if name != inner]
        loaded = loaded[inner]
    if not isinstance(loaded, Mapping):
        raise DataError(f"{path} holds a {type(loaded).__name__}, not a dictionary of tensors by name")
    strangers = [
        str(name)
        for name, value in loaded.items()
        if not isinstance(value, Tensor) or not isinstance(name, str)
    ]
    if strangers or not loaded:
        found = (
            f"among its entries, {listed(strangers)} are no tensors" if loaded else "its dictionary is empty"
        )
        raise DataError(f"{path} holds no plain dictionary of tensors: {found}; save the tensors alone")
    return Contents(dict(loaded), tuple(wrappers), tuple(ignored))
