"""A pickle's instructions followed as data: nothing that it names is imported, looked up or called.

What becomes of the objects that it asks for is decided by the caller's `Maker`, from their names and
arguments alone; so a file can only ever ask for what stands in a table of ours.
"""

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from ..errors import DataError

LONGEST_NAME = 256  # characters of an object's name, or of a key of torch's own
LONGEST_KEY = 4096  # characters of a key: equal ones are compared to their ends
LARGEST_KEY = (
    2**60
)  # whole numbers below have hashes of their own; optimisers of torch 1.5 have addresses as keys

LITERALS = {
    *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: dict[str, Callable[[], object]] = {"EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_DICT": dict}
GROUPED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PYTHON_2 = {"__builtin__.long": "builtins.int"}  # as protocols 0 to 2 write it; torch's reader knows it too


class Name(str):
    """`module.name` of something that the file would have called."""

    __slots__ = ()


class Made:
    """What stands for an object. It holds nothing unless a subclass says what."""


@dataclass
class Allowance:
    """How much calls may copy: as many bytes or values as the file holds, so that none fills the memory."""

    left: int

    def take(self, amount: int) -> None:
        """Copy an amount.

        Raises:
            DataError: it is more than is left.
        """
        self.left -= amount
        if self.left < 0:
            raise DataError("its calls copy more than the file holds, which no file of weights needs")


class Maker(ABC):
    """Decides what the objects of a pickle become. All its methods raise DataError for what they refuse."""

    @abstractmethod
    def make(self, name: Name, arguments: tuple[Any, ...]) -> object:
        """What a call gives."""

    @abstractmethod
    def fill(self, made: Any, state: Any) -> None:
        """Give an object its state."""

    @abstractmethod
    def refer(self, reference: Any) -> object:
        """What stands for something outside the pickle (torch: a storage)."""


class Machine:
    """Follows one pickle. A damaged one raises ValueError, LookupError or TypeError somewhere inside."""

    def __init__(self, maker: Maker):
        self.maker = maker
        self.names: set[str] = set()  # all that it would have looked up
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def follow(self, stream: BytesIO) -> Any:
        """The value that the pickle at the stream's place describes; the stream then stands behind it.

        Raises:
            DataError: an instruction that no file of weights needs.
        """
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name in LITERALS:
                self.stack.append(argument)
            elif name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in EMPTY:
                self.stack.append(EMPTY[name]())
            elif name in GROUPED:
                self.stack[-GROUPED[name] :] = [tuple(self.popped(GROUPED[name]))]
            elif name in MEMORY:
                MEMORY[name](self, argument)
            elif name in STEPS:
                STEPS[name](self)
            elif name == "GLOBAL":
                self.stack.append(self.name(*str(argument).split(" ", 1)))
            elif name == "STOP":
                return self.stack.pop()
            elif name not in ("PROTO", "FRAME"):
                raise DataError(f"it holds the instruction {name}, which no file of weights needs")
        raise EOFError("the pickle has no end")

    def popped(self, count: int) -> list[Any]:
        """The last `count` values, which stay where they are."""
        if len(self.stack) < count:
            raise IndexError("values are missing")
        return self.stack[-count:]

    def group(self) -> list[Any]:
        """The values since the last mark."""
        group, self.stack = self.stack, self.marks.pop()
        return group

    def mark(self) -> None:
        """Begin a group."""
        self.marks.append(self.stack)
        self.stack = []

    def named(self) -> None:
        """A module's and an object's name -> a Name."""
        module, name = self.popped(2)
        self.stack[-2:] = [self.name(module, name)]

    def name(self, module: Any, name: Any) -> Name:
        """Both as one, in Python 3's words, and noted."""
        if type(module) is not str or type(name) is not str or len(module) + len(name) >= LONGEST_NAME:
            raise DataError("it names an object by what is no name")
        full = PYTHON_2.get(f"{module}.{name}", f"{module.replace('__builtin__', 'builtins')}.{name}")
        self.names.add(full)
        return Name(full)

    def call(self) -> None:
        """A Name and its arguments -> what is made of them."""
        name, arguments = self.popped(2)
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise DataError("it calls what it has made itself, which no file of weights needs")
        self.stack[-2:] = [self.maker.make(name, arguments)]

    def call_with_keywords(self) -> None:
        """As `call`; keywords are dropped."""
        self.stack.pop()
        self.call()

    def build(self) -> None:
        """Give an object its state."""
        state = self.stack.pop()
        self.maker.fill(self.stack[-1], state)

    def persistent(self) -> None:
        """A reference to something outside the pickle -> what stands for it."""
        self.stack[-1] = self.maker.refer(self.stack[-1])

    def extend(self, values: list[Any]) -> None:
        """Append to a list; what an object made of others would keep is dropped."""
        if isinstance(self.stack[-1], list):
            self.stack[-1] += values

    def assign(self, pairs: list[Any]) -> None:
        """Set entries of a dictionary; what an object would keep of them is dropped."""
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            check_key(key)
            if isinstance(self.stack[-1], dict):
                self.stack[-1][key] = value


def check_key(key: Any) -> None:
    """Check that a key, or a member of a set, is of a kind of which a file cannot make many with one hash.

    Strings are hashed with a secret, other objects by their place; of numbers below 2**60 at most -1 and -2
    are hashed alike, of all floats a few hundred. Tuples are not: (-1, -2)-tuples of a length all are, and a
    tuple of shared tuples takes for ever to hash.

    Raises:
        DataError: it is not.
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


def memorise(machine: Machine, place: int | None) -> None:
    """Keep the last value under a number, by default the next one."""
    machine.memo[len(machine.memo) if place is None else place] = machine.stack[-1]


def recall(machine: Machine, place: int) -> None:
    """Put a kept value on the stack."""
    machine.stack.append(machine.memo[place])


MEMORY: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), memorise),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), recall),
}
STEPS: dict[str, Callable[[Machine], object]] = {
    "MARK": Machine.mark,
    "POP": lambda machine: machine.stack.pop(),
    "POP_MARK": Machine.group,
    "DUP": lambda machine: machine.stack.append(machine.stack[-1]),
    "TUPLE": lambda machine: push(machine, tuple),
    "LIST": lambda machine: push(machine, list),
    "FROZENSET": lambda machine: push(machine, list),
    "DICT": lambda machine: push_dictionary(machine),
    "APPEND": lambda machine: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine: machine.extend(machine.group()),
    "ADDITEMS": lambda machine: machine.extend(machine.group()),
    "SETITEM": lambda machine: assign_one(machine),
    "SETITEMS": lambda machine: machine.assign(machine.group()),
    "STACK_GLOBAL": Machine.named,
    "REDUCE": Machine.call,
    "NEWOBJ": Machine.call,
    "NEWOBJ_EX": Machine.call_with_keywords,
    "BUILD": Machine.build,
    "BINPERSID": Machine.persistent,
}


def push(machine: Machine, kind: Callable[[list[Any]], object]) -> None:
    """The values since the last mark, as one."""
    values = machine.group()
    machine.stack.append(kind(values))


def push_dictionary(machine: Machine) -> None:
    """The pairs since the last mark, as a dictionary."""
    pairs = machine.group()
    machine.stack.append({})
    machine.assign(pairs)


def assign_one(machine: Machine) -> None:
    """Set one entry."""
    pair = machine.popped(2)
    del machine.stack[-2:]
    machine.assign(pair)
