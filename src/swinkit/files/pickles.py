"""What is checked in a pickle before torch reads it, and pickles of arrays, which torch does not read.

Torch's reader runs no code (`weights_only`), but a crafted file can make it reserve any amount of memory, or
compare keys for years; so its instructions are followed first, as data. Pickles of plain arrays are
detectron2's format: their numbers are taken without numpy's help.
"""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError
from .opcodes import Machine, Made, Name

LEGACY_PICKLES = 4  # magic number, version, machine, values; what follows are storages
DAMAGED = (ValueError, LookupError, TypeError, EOFError, OverflowError, struct.error, MemoryError)

DTYPES = {
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "b1": torch.bool,
}
REBUILT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
NUMBERS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")


@dataclass
class Type(Made):
    """A numpy type by its code, such as `f4`, and the order of its bytes."""

    code: str
    order: str = "<"

    def fill(self, state: Any) -> None:
        """(version, order, ...)."""
        self.order = state[1]


@dataclass
class Array(Made):
    """A numpy array."""

    tensor: Tensor | None = None

    def fill(self, state: Any) -> None:
        """(version, shape, type, whether in Fortran's order, bytes)."""
        _, shape, kind, transposed, content = state
        self.tensor = values(content, kind, shape, "F" if transposed else "C")


def values(content: Any, kind: Any, shape: Any, order: str) -> Tensor:
    """Bytes as a tensor of `shape`; the first axis varies fastest in `order` F.

    Raises:
        ValueError: they are no numbers, or too many or few.
    """
    if isinstance(content, str):
        content = content.encode("latin-1")  # as Python 2 wrote bytes
    if not isinstance(kind, Type) or kind.code not in DTYPES or kind.order not in ("<", "|", "="):
        raise ValueError("an array of something else than little-endian numbers")
    dtype = DTYPES[kind.code]
    if not content:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(bytearray(content), dtype=dtype)
    if order == "F":
        return flat.reshape(shape[::-1]).permute(*reversed(range(len(shape)))).contiguous()
    return flat.reshape(shape)


def read_arrays(path: Path) -> Any:
    """What a pickle of dictionaries of arrays holds, arrays as tensors; nothing else can be in it.

    Raises:
        DataError: it is damaged, or holds anything else.
    """
    try:
        machine = Machine(made_of_arrays)
        return with_tensors(machine.follow(BytesIO(path.read_bytes())))
    except DataError as error:
        raise DataError(
            f"{path} is a pickle of more than arrays: {error}. It is refused, as loading it could run code "
            "of whoever made it. If you trust its maker, load it on a machine that you can spare, save its "
            "arrays with safetensors.torch.save_file, and load the new file."
        ) from None
    except (*DAMAGED, RuntimeError):
        raise DataError(
            f"{path} is no file of weights, or a damaged one; copy or download it again"
        ) from None


def made_of_arrays(name: str, arguments: tuple[Any, ...]) -> object:
    """The objects of which arrays are made."""
    if name in REBUILT:
        return Array()
    if name in FROM_BUFFER:
        return Array(values(*arguments))
    if name == "numpy.dtype" and isinstance(arguments[0], str):
        return Type(arguments[0])
    if name in NUMBERS:
        return Made()
    if name == "_codecs.encode" and arguments[1:] in ((), ("latin1",)):
        return arguments[0].encode("latin-1")
    if name == "collections.OrderedDict" and not arguments:
        return {}
    raise DataError(f"it asks for `{name[:100]}`")


def with_tensors(loaded: Any, depth: int = 2) -> Any:
    """Arrays as tensors, in dictionaries down to `depth`."""
    if isinstance(loaded, Array) and loaded.tensor is not None:
        return loaded.tensor
    if isinstance(loaded, dict) and depth >= 0:
        return {key: with_tensors(value, depth - 1) for key, value in loaded.items()}
    return loaded


def inspect(content: bytes, pickles: int = 1) -> None:
    """Follow the first `pickles` in `content`, as torch would, and refuse what would bring it to a halt.

    Raises:
        DataError: an instruction, a key or a call that no file of weights needs.
        ValueError, LookupError, TypeError, EOFError: the pickle is damaged.
    """
    stream = BytesIO(content)
    for _ in range(pickles):
        Machine(inert).follow(stream)


def inert(name: str, arguments: tuple[Any, ...]) -> object:
    """Nothing, or an empty dictionary; calls that would reserve memory by a mere number are refused."""
    if name == "collections.OrderedDict":
        return {}
    bulky = name == "builtins.bytearray" and any(isinstance(size, int) for size in arguments)
    if bulky or name.endswith(("Tensor", "Storage")):
        raise DataError(f"it makes a `{name[:100]}` by a call, which no file of weights needs")
    if name == "builtins.set" and not all(plain(argument) for argument in arguments):
        raise DataError("it holds a set of neither names nor numbers")
    return Made()


def plain(argument: Any) -> bool:
    """Whether it is a list of names or numbers."""
    return isinstance(argument, list) and not any(isinstance(x, tuple | Name | Made) for x in argument)
