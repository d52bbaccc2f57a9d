"""Interpreter of pickles as data: nothing that a pickle names is imported, looked up or called.

The caller's `Maker` decides from names and arguments alone what the objects of a pickle become, so that a
file can only ask for objects in a table of this package. The opcodes are decoded by `pickletools`.
"""

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from ..errors import DataError

LONGEST_NAME = 256  # characters of an object's name, or of a key of torch's own
LONGEST_KEY = 4096  # characters of a dictionary key, because equal keys are compared to their ends
# Integers below this limit have hashes of their own; optimisers of torch 1.5 use addresses as keys.
LARGEST_KEY = 2**60
PYTHON_2 = {"__builtin__.long": "builtins.int"}  # as protocols 0 to 2 spell it; torch's reader maps it too


class Name(str):
    """`module.name` of an object that unpickling would look up."""

    __slots__ = ()


class Placeholder:
    """Placeholder for an object of the pickle. It holds nothing unless a subclass says so."""


@dataclass
class Allowance:
    """Number of bytes or values that calls may still copy, so that a small file cannot fill the memory."""

    left: int

    def take(self, amount: int) -> None:
        """Subtract `amount`.

        Raises:
            DataError: less than that is left.
        """
        self.left -= amount
        if self.left < 0:
            raise DataError("its calls copy more than the file holds, which no file of weights needs")


class Maker(ABC):
    """Rules for the objects of a pickle. Every method raises DataError for what it refuses."""

    @abstractmethod
    def make(self, name: Name, arguments: tuple[Any, ...]) -> object:
        """Return the placeholder for the result of calling `name`."""

    @abstractmethod
    def fill(self, made: Any, state: Any) -> None:
        """Give a placeholder the state that the pickle sets."""

    @abstractmethod
    def refer(self, reference: Any) -> object:
        """Return the placeholder for data outside the pickle (torch: a storage)."""


class Machine:
    """Interpreter of one pickle. A damaged one raises ValueError, LookupError or TypeError."""

    def __init__(self, maker: Maker):
        self.maker = maker
        self.names: set[str] = set()  # everything that unpickling would have looked up
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: BytesIO) -> Any:
        """Return the value of the next pickle of the stream, and move the stream behind it.

        Raises:
            DataError: an opcode that no file of weights needs.
        """
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name not in STEPS:
                raise DataError(f"it holds the instruction {opcode.name}, which no file of weights needs")
            STEPS[opcode.name](self, argument)
        raise EOFError("the pickle has no end")

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def take(self, count: int) -> list[Any]:
        """Remove the last `count` values and return them."""
        if len(self.stack) < count:
            raise IndexError("values are missing")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def mark(self) -> None:
        """Begin a group."""
        self.marks.append(self.stack)
        self.stack = []

    def group(self) -> list[Any]:
        """End the latest group and return its values."""
        group, self.stack = self.stack, self.marks.pop()
        return group

    def memorise(self, place: int | None) -> None:
        """Store the last value under `place`; by default under the next number."""
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def name(self, module: Any, name: Any) -> Name:
        """Return both as one name, in the words of Python 3, and record it."""
        if type(module) is not str or type(name) is not str or len(module) + len(name) >= LONGEST_NAME:
            raise DataError("it names an object by a value that is no name")
        full = PYTHON_2.get(f"{module}.{name}", f"{module.replace('__builtin__', 'builtins')}.{name}")
        self.names.add(full)
        return Name(full)

    def call(self, name: Any, arguments: Any, _keywords: Any = None) -> object:
        """Return the maker's object for a call; keywords are dropped."""
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise DataError("it calls an object of its own making, which no file of weights needs")
        return self.maker.make(name, arguments)

    def build(self) -> None:
        """Give the object below the last value that value as its state."""
        (state,) = self.take(1)
        self.maker.fill(self.stack[-1], state)

    def extend(self, values: list[Any]) -> None:
        """Append to the last value if it is a list; a placeholder drops the values."""
        if isinstance(self.stack[-1], list):
            self.stack[-1] += values

    def assign(self, pairs: list[Any]) -> None:
        """Set entries of the last value if it is a dictionary; a placeholder drops them."""
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            check_key(key)
            if isinstance(self.stack[-1], dict):
                self.stack[-1][key] = value

    def push_dictionary(self, pairs: list[Any]) -> None:
        """Put a new dictionary of these pairs on the stack."""
        self.push({})
        self.assign(pairs)


def check_key(key: Any) -> None:
    """Check that a file cannot hold many keys, or members of a set, of this type that share one hash.

    Strings are hashed with a secret, and other objects by their address. Of the integers below 2**60 only -1
    and -2 collide, of all floats a few hundred. Tuples are refused: those of -1 and -2 of one length all
    collide, and hashing a tuple of shared tuples can take forever.

    Raises:
        DataError: the type or the size of the key allows collisions.
    """
    kind = type(key)
    if kind is str or kind is bytes:
        if len(key) > LONGEST_KEY:
            raise DataError(f"it holds a key of {len(key)} characters, which no file of weights needs")
    elif kind is int:
        if abs(key) >= LARGEST_KEY:
            raise DataError("it holds a key that is a gigantic number, which no file of weights needs")
    elif kind not in (float, bool, type(None)):
        raise DataError("it holds keys that are neither names nor numbers, which no file of weights needs")


Step = Callable[[Machine, Any], object]  # given the machine and the opcode's argument

LITERALS = (
    *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
)
STEPS: dict[str, Step] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda _machine, _argument: None),
    **dict.fromkeys(LITERALS, Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_SET": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.take(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.take(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.take(3))),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.take(1),
    "POP_MARK": lambda machine, _: machine.group(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.group())),
    "LIST": lambda machine, _: machine.push(machine.group()),
    "FROZENSET": lambda machine, _: machine.push(machine.group()),
    "DICT": lambda machine, _: machine.push_dictionary(machine.group()),
    "APPEND": lambda machine, _: machine.extend(machine.take(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.group()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.group()),
    "SETITEM": lambda machine, _: machine.assign(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.assign(machine.group()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.memorise),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda machine, place: machine.push(machine.memo[place])
    ),
    "GLOBAL": lambda machine, argument: machine.push(machine.name(*str(argument).split(" ", 1))),
    "STACK_GLOBAL": lambda machine, _: machine.push(machine.name(*machine.take(2))),
    "REDUCE": lambda machine, _: machine.push(machine.call(*machine.take(2))),
    "NEWOBJ": lambda machine, _: machine.push(machine.call(*machine.take(2))),
    "NEWOBJ_EX": lambda machine, _: machine.push(machine.call(*machine.take(3))),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.push(machine.maker.refer(*machine.take(1))),
}
