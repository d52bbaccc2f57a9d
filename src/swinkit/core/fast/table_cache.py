"""A least-recently-used cache of tables, limited by the memory that they take."""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar, TypeVarTuple

CAPACITY = 2**28  # bytes of one kind of table: enough for batches of 8 images of 800 x 1333, for example
OVERHEAD = 2**12  # bytes of a table beside its numbers


class Sized(Protocol):
    """A table that knows its size."""

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""
        ...


Key = TypeVarTuple("Key")
Table = TypeVar("Table", bound=Sized)


class TableCache(Generic[*Key, Table]):
    """Decorator that caches the tables a function makes, and drops the least recently used ones.

    Several Python threads may ask at the same time; at worst a table is made twice.
    """

    def __init__(self, make: Callable[[*Key], Table]):
        self.make = make
        self.tables: dict[Hashable, Table] = {}  # the most recently used is last

    def __call__(self, *key: *Key) -> Table:
        """Return the table of these arguments."""
        table = self.tables.pop(key, None)
        if table is None:
            table = self.make(*key)
            self.make_room(table.nbytes + OVERHEAD)
        self.tables[key] = table
        return table

    def make_room(self, count: int) -> None:
        """Drop tables until `count` more bytes fit, or none is left."""
        excess = self.nbytes + count - CAPACITY
        for key, table in self.tables.copy().items():
            if excess <= 0:
                break
            self.tables.pop(key, None)
            excess -= table.nbytes + OVERHEAD

    @property
    def nbytes(self) -> int:
        """The memory that all tables take together, in bytes."""
        tables = self.tables.copy()  # at once, because other threads may change them meanwhile
        return sum(table.nbytes + OVERHEAD for table in tables.values())
