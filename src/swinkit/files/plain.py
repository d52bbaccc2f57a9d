"""Readers and writers of files that can hold data only: text, JSON and safetensors."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import DataError, listed
from .contents import State


def read_json(path: Path, kind: type) -> Any:
    """Read a JSON file whose outermost value must be a `kind`."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from None
    if not isinstance(value, kind):
        raise DataError(f"{path} must hold a {kind.__name__}, not a {type(value).__name__}")
    return value


def read_text(path: Path) -> str:
    """Read a text file in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def read_safetensors(path: Path) -> State:
    """Read the tensors of a .safetensors file.

    Raises:
        DataError: it is damaged.
    """
    try:
        # The library maps the file into memory: without a copy, a change of the file would change the model.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        reason = listed([str(error)]).strip("`")
        raise DataError(
            f"{path} is no whole safetensors file ({reason}); copy or download it again"
        ) from None


def write_safetensors(path: Path, state: State, metadata: dict[str, str]) -> None:
    """Write tensors to a .safetensors file with the permissions that any new file gets.

    Equal tensors and metadata give equal bytes.

    Raises:
        OSError: it cannot be written.
    """
    path.touch()
    mode = path.stat().st_mode & 0o777  # because safetensors would keep the file to its owner
    try:
        save_file(contiguous_copies(state), path, metadata)
        sort_metadata(path)
    except SafetensorError as error:  # the library's error for a failed write
        raise OSError(" ".join(str(error).split())[:200]) from None
    path.chmod(mode)


def sort_metadata(path: Path) -> None:
    """Sort the metadata in the header of a .safetensors file, which safetensors writes in random order."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise OSError(f"{path.name} has a header that cannot be sorted in its place")
        file.seek(8)
        file.write(text.ljust(length))


def contiguous_copies(state: State) -> State:
    """Return copies on the CPU that share no memory and have no strides of their own."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def is_alike(tensor: Tensor, wanted: Tensor) -> bool:
    """Return whether a tensor has the shape of another, and numbers of the same kind."""
    return tensor.shape == wanted.shape and tensor.is_floating_point() == wanted.is_floating_point()
