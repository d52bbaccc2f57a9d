"""A pickle's instructions followed as data: nothing that it names is imported, looked up or called.

What an object of another library would be is decided by the caller's `make`, from its name and arguments
alone; so a file can only ever ask for what stands in a table of ours.
"""

import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any

from ..errors import DataError

Make = Callable[[str, tuple[Any, ...]], object]

LITERALS = {
    *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: dict[str, Callable[[], object]] = {"EMPTY_LIST": list, "EMPTY_SET": list, "EMPTY_DICT": dict}
GROUPED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
SIMPLE = (str, bytes, int, float, bool, type(None))


class Name(str):
    """`module.name` of something that the file would have called."""

    __slots__ = ()


class Made:
    """What `make` gives for an object. It holds nothing unless a subclass says what it keeps of its state."""

    def fill(self, state: Any) -> None:
        """Take the state that the file gives to the object."""


class Machine:
    """Follows one pickle. A damaged one raises ValueError, LookupError or TypeError somewhere inside."""

    def __init__(self, make: Make):
        self.make = make
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
                self.stack.append(Name(str(argument).replace(" ", ".")))
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
        self.stack[-2:] = [Name(f"{module}.{name}")]

    def call(self) -> None:
        """A Name and its arguments -> what `make` gives for them."""
        name, arguments = self.popped(2)
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise DataError("it calls what it has made itself, which no file of weights needs")
        self.stack[-2:] = [self.make(name, arguments)]

    def call_with_keywords(self) -> None:
        """As `call`; keywords are dropped."""
        self.stack.pop()
        self.call()

    def build(self) -> None:
        """Give an object its state; a plain dictionary or list has none that matters."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Made):
            self.stack[-1].fill(state)

    def persistent(self) -> None:
        """A reference to something outside the pickle (torch: a storage) -> nothing."""
        self.stack[-1] = Made()

    def extend(self, values: list[Any]) -> None:
        """Append to a list; what an object made of others would keep is dropped."""
        if isinstance(self.stack[-1], list):
            self.stack[-1] += values

    def assign(self, pairs: list[Any]) -> None:
        """Set entries of a dictionary, whose keys must be plain: others can take forever to compare."""
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            parts = key if isinstance(key, tuple) else (key,)
            if not all(isinstance(part, SIMPLE) for part in parts):
                raise DataError("it holds a dictionary whose keys are neither names nor numbers")
            if isinstance(self.stack[-1], dict):
                self.stack[-1][key] = value


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
