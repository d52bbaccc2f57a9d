"""Allow-list of the names and calls that a file of torch may use.

Torch's reader runs no code (`weights_only`), but its own allowed calls can be used to reserve any amount of
memory, or to compare keys for years. So the opcodes of a file are interpreted first, as data. A name that is
neither in `CALLS`, nor in `VALUES`, nor among the stubs (`pickle_stubs`) is refused, and torch never sees the
file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import torch

from ..errors import DataError, listed
from .pickle_stubs import MAPPINGS, OBJECTS
from .pickle_vm import LONGEST_NAME, Allowance, Machine, Maker, Name, Placeholder, check_key

LEGACY_PICKLES = 5  # magic number, version, machine, values, the order of what follows: the storages
MOST_AXES = 64

NUMBERS = (
    *("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"),
    *("ComplexFloat", "ComplexDouble"),
)
STORAGES = {*(f"torch.{kind}Storage" for kind in NUMBERS), "torch.storage.UntypedStorage"}
TYPES = {str(value) for value in vars(torch).values() if isinstance(value, torch.dtype)}
CLASSES = {"torch.Tensor", "torch.nn.parameter.Parameter"}
VALUES = STORAGES | TYPES | CLASSES  # may be named by a file, but not called

NO_ARRAYS = {  # real tensors, but none of a model of ours
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_wrapper_subclass",
}


@dataclass(frozen=True)
class StoragePlaceholder(Placeholder):
    """Placeholder for a storage: its type, and how many numbers of that type it has."""

    kind: str
    count: int


class TensorPlaceholder(Placeholder):
    """Placeholder for a tensor."""


Call = Callable[[tuple[Any, ...], Allowance], object]  # gives None for arguments that no file of weights has


def check_tensor(arguments: tuple[Any, ...], _allowance: Allowance) -> object:
    """Check a tensor: a view that lies within its storage."""
    match arguments:
        case (StoragePlaceholder() as stored, int(offset), tuple(size), tuple(stride), *rest) if (
            len(size) == len(stride) <= MOST_AXES
            and all(type(number) is int and number >= 0 for number in (offset, *size, *stride))
            and (not all(size) or offset + view_extent(size, stride) <= stored.count)
        ):
            match rest:
                case [] | [bool(), dict() | None] | [bool(), dict() | None, Name()]:
                    return TensorPlaceholder()
    return None


def view_extent(size: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """Return the distance from the first number of a view to the last, plus one."""
    return 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True))


def check_parameter(arguments: tuple[Any, ...], allowance: Allowance) -> object:
    """Check a parameter: a tensor, perhaps with attributes."""
    match arguments:
        case (TensorPlaceholder(), bool(), dict() | None):
            return TensorPlaceholder()
        case (TensorPlaceholder(), bool(), dict() | None, state) if check_attributes(state, allowance):
            return TensorPlaceholder()
    return None


def check_attributed(arguments: tuple[Any, ...], allowance: Allowance) -> object:
    """Check a tensor with attributes: how it is made, its class, the arguments, and the attributes."""
    match arguments:
        case (Name(how), Name(kind), tuple(inner), state) if how in TENSORS and kind in CLASSES:
            return TENSORS[how](inner, allowance) if check_attributes(state, allowance) else None
    return None


def check_attributes(state: Any, allowance: Allowance) -> bool:
    """Return whether `state` can be an object's attributes: a dictionary or two, whose entries are copied."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    allowance.take(sum(len(part) for part in parts if isinstance(part, dict)))
    return all(part is None or isinstance(part, dict) for part in parts)


def check_mapping(arguments: tuple[Any, ...], _allowance: Allowance) -> object:
    """Check the making of an empty dictionary."""
    return {} if not arguments else None


def check_counter(arguments: tuple[Any, ...], allowance: Allowance) -> object:
    """Check a `Counter` (the milestones of a schedule), whose keys were checked when they were set."""
    match arguments:
        case () | (dict(),):
            allowance.take(sum(map(len, arguments)))
            return {}
    return None


def check_set(arguments: tuple[Any, ...], allowance: Allowance) -> object:
    """Check a set of names and numbers."""
    match arguments:
        case (list(members),):
            allowance.take(len(members))
            for member in members:
                check_key(member)
            return Placeholder()
    return None


def check_encoding(arguments: tuple[Any, ...], allowance: Allowance) -> object:
    """Encode bytes as protocol 2 writes them; other encodings can take time that grows as the square."""
    match arguments:
        case (str(text), "latin1"):
            allowance.take(len(text))
            return text.encode("latin-1")
    return None


def check_size(arguments: tuple[Any, ...], _allowance: Allowance) -> object:
    """Check the shape of a tensor."""
    match arguments:
        case (tuple(lengths),) if len(lengths) <= MOST_AXES and all(type(x) is int for x in lengths):
            return Placeholder()
    return None


def check_device(arguments: tuple[Any, ...], _allowance: Allowance) -> object:
    """Check a device, such as `cuda` or `cuda`, 0."""
    match arguments:
        case (str(kind),) | (str(kind), int()) if len(kind) <= LONGEST_NAME:
            return Placeholder()
    return None


TENSORS: dict[str, Call] = {
    "torch._utils._rebuild_tensor": check_tensor,
    "torch._utils._rebuild_tensor_v2": check_tensor,
    "torch._utils._rebuild_tensor_v3": check_tensor,
    "torch._utils._rebuild_parameter": check_parameter,
    "torch._utils._rebuild_parameter_with_state": check_parameter,
}
CALLS: dict[str, Call] = TENSORS | {
    "torch._tensor._rebuild_from_type_v2": check_attributed,
    "torch.Size": check_size,
    "torch.device": check_device,
    "collections.OrderedDict": check_mapping,
    "collections.Counter": check_counter,
    "builtins.set": check_set,
    "_codecs.encode": check_encoding,
}
ALLOWED = {*VALUES, *CALLS, *MAPPINGS, *OBJECTS}


class Inspection(Maker):
    """Rules for the calls, states and storages of a file.

    `length` is the number of bytes of its pickles, `size` that of the whole file.
    """

    def __init__(self, length: int, size: int):
        self.allowance = Allowance(length)
        self.room = size
        self.stored: dict[str, StoragePlaceholder] = {}

    def make(self, name: Name, arguments: tuple[Any, ...]) -> object:
        """Check a call, and return the placeholder for its result."""
        self.allowance.take(len(arguments))
        if name in MAPPINGS:
            return {}
        if name in OBJECTS or name not in ALLOWED:  # what is not allowed is refused at the end, by all names
            return Placeholder()
        made = CALLS[name](arguments, self.allowance) if name in CALLS else None
        if made is None:
            raise DataError(f"it calls {listed([str(name)])} in a way that no file of weights needs")
        return made

    def fill(self, made: Any, state: Any) -> None:
        """Check a state: a dictionary copies its attributes, a stub keeps nothing."""
        if type(made) is not Placeholder and not (isinstance(made, dict) and isinstance(state, dict)):
            raise DataError("it gives a state to an object that has none, which no file of weights needs")
        if isinstance(made, dict):
            self.allowance.take(len(state))

    def refer(self, reference: Any) -> object:
        """Check a reference to a storage.

        A key has only one storage. Together they have no more numbers than the file has bytes.
        """
        match reference:
            case ("storage", Name(kind), str(key), str(), int(count), *view) if (
                kind in STORAGES and len(key) <= LONGEST_NAME and count >= 0
            ):
                stored = StoragePlaceholder(str(kind), count)
            case _:
                raise DataError("it refers to an object that is no storage")
        if key not in self.stored:
            self.room -= count
        known = self.stored.setdefault(key, stored)
        if self.room < 0 or (known != stored and known.count + count > 0):
            raise DataError("its storages claim more than it holds")
        match view:
            case [] | [None]:
                return stored
            case [(str(), int(begin), int(length))] if 0 <= begin <= begin + length <= count:
                return StoragePlaceholder(str(kind), length)
        raise DataError("it refers to a part of a storage that is none")


def inspect(content: bytes, size: int) -> None:
    """Interpret the pickle of a zip file of `size` bytes, and refuse everything that is not allowed.

    Raises:
        DataError: it asks for something else.
        ValueError, LookupError, TypeError, EOFError: it is damaged.
    """
    interpret_next(BytesIO(content), Inspection(len(content), size))


def inspect_legacy(content: bytes) -> None:
    """Interpret the pickles of a file in torch's format before 1.6.

    Raises:
        DataError, ValueError, LookupError, TypeError, EOFError: as `inspect`.
    """
    stream, inspection = BytesIO(content), Inspection(len(content), len(content))
    *_, order = [interpret_next(stream, inspection) for _ in range(LEGACY_PICKLES)]
    if not (
        isinstance(order, list)
        and all(type(key) is str and key in inspection.stored for key in order)
        and len(set(order)) == len(order)
    ):
        raise DataError("its list of storages does not match its storages")


def interpret_next(stream: BytesIO, inspection: Inspection) -> object:
    """Return the value of the next pickle. A name that is not allowed is reported before any other fault."""
    machine = Machine(inspection)
    try:
        followed = machine.run(stream)
    except DataError:
        refuse_others(machine.names)
        raise
    refuse_others(machine.names)
    return followed


def refuse_others(names: set[str]) -> None:
    """Raise an error that lists the names that are not allowed, if there are any.

    Raises:
        DataError: there is any.
    """
    others = sorted(names - ALLOWED)
    arrays = [name for name in others if name in NO_ARRAYS]
    if arrays and all(name.startswith("torch.") for name in others):
        raise DataError(f"it holds tensors that are no plain arrays ({listed(arrays)}); save dense ones")
    if others:
        raise DataError(
            f"it holds more than tensors: {listed(others)}. Loading these could run code of whoever made the "
            "file. If you trust its maker, convert it on a machine that you can spare: load it there with "
            "torch.load(path, weights_only=False), keep only the dictionary of tensors, and save that with "
            "safetensors.torch.save_file; then load the new file."
        )
