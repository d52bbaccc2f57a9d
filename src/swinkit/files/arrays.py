"""Pickles of plain arrays, detectron2's format, read without numpy."""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, listed
from .pickle_vm import Allowance, Machine, Maker, Name, Placeholder

DAMAGED = (ValueError, LookupError, TypeError, EOFError, OverflowError, struct.error, RuntimeError)

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
class ArrayType(Placeholder):
    """A numpy type by its code, such as `f4`, and the order of its bytes."""

    code: str
    order: str = "<"


@dataclass
class Array(Placeholder):
    """A numpy array."""

    tensor: Tensor | None = None


class ArrayMaker(Maker):
    """Rules that allow the objects that make up arrays, and no others."""

    def __init__(self, size: int):
        self.allowance = Allowance(size)

    def make(self, name: Name, arguments: tuple[Any, ...]) -> object:
        """Return an array, its type, or a plain value."""
        if name in REBUILT:
            return Array()
        if name in FROM_BUFFER:
            return Array(self.values(*arguments))
        if name == "numpy.dtype" and isinstance(arguments[0], str):
            return ArrayType(arguments[0])
        if name in NUMBERS:
            return Placeholder()
        if name == "_codecs.encode" and arguments[1:] in ((), ("latin1",)):
            self.allowance.take(len(arguments[0]))
            return arguments[0].encode("latin-1")
        if name == "collections.OrderedDict" and not arguments:
            return {}
        raise DataError(f"it asks for {listed([str(name)])}")

    def fill(self, made: Any, state: Any) -> None:
        """Set the state of a type, (version, order, ...), or of an array.

        An array's state is (version, shape, type, whether in Fortran's order, bytes).
        """
        if isinstance(made, ArrayType):
            made.order = state[1]
        elif isinstance(made, Array):
            _, shape, kind, transposed, content = state
            made.tensor = self.values(content, kind, shape, "F" if transposed else "C")

    def refer(self, reference: Any) -> object:
        """Refuse every reference, because a pickle of arrays has no storages outside."""
        raise DataError(f"it refers to something outside by a {type(reference).__name__}")

    def values(self, content: Any, kind: Any, shape: Any, order: str) -> Tensor:
        """Convert bytes to a tensor of `shape`; in `order` "F" the first axis varies fastest.

        Raises:
            ValueError, RuntimeError: they are no numbers, or too many or few.
        """
        self.allowance.take(len(content) + len(shape))
        if isinstance(content, str):
            content = content.encode("latin-1")  # as Python 2 wrote bytes
        if not isinstance(kind, ArrayType) or kind.code not in DTYPES or kind.order not in ("<", "|", "="):
            raise ValueError("an array of something else than little-endian numbers")
        dtype = DTYPES[kind.code]
        flat = torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.zeros(0, dtype=dtype)
        if order == "F":
            return flat.reshape(shape[::-1]).permute(*reversed(range(len(shape)))).contiguous()
        return flat.reshape(shape)


def read_arrays(content: bytes, path: Path) -> Any:
    """Read a pickle of dictionaries of arrays, and return arrays as tensors.

    Raises:
        DataError: it is damaged, or holds anything else; naming the file, `path`.
    """
    try:
        return replace_arrays(Machine(ArrayMaker(len(content))).run(BytesIO(content)))
    except DataError as error:
        raise DataError(
            f"{path} is a pickle of more than arrays: {error}. It is refused, as loading it could run code "
            "of whoever made it. If you trust its maker, load it on a machine that you can spare, save its "
            "arrays with safetensors.torch.save_file, and load the new file."
        ) from None
    except DAMAGED:
        raise DataError(
            f"{path} is no file of weights, or a damaged one; copy or download it again"
        ) from None


def replace_arrays(loaded: Any, depth: int = 2) -> Any:
    """Replace arrays by tensors in dictionaries down to `depth`."""
    if isinstance(loaded, Array) and loaded.tensor is not None:
        return loaded.tensor
    if isinstance(loaded, dict) and depth >= 0:
        return {key: replace_arrays(value, depth - 1) for key, value in loaded.items()}
    return loaded
