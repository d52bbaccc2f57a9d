"""Tables that were made lately, for as long as they take little memory."""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar, TypeVarTuple

MOST = 2**28  # bytes of one kind of table: those of batches of 8 pictures of 800 x 1333, for example
OVERHEAD = 2**12  # bytes of a table beside its numbers


class Sized(Protocol):
    """A table that knows how large it is."""

    @property
    def nbytes(self) -> int:
        """In memory."""
        ...


Key = TypeVarTuple("Key")
Table = TypeVar("Table", bound=Sized)


class Recent(Generic[*Key, Table]):
    """What `make` makes, made anew only if it was not lately: what was asked for last is dropped last.

    Several Python threads may ask at the same time; at worst a table is made twice.
    """

    def __init__(self, make: Callable[[*Key], Table]):
        self.make = make
        self.tables: dict[Hashable, Table] = {}  # what was asked for last is last

    def __call__(self, *key: *Key) -> Table:
        """The table of these arguments."""
        table = self.tables.pop(key, None)
        if table is None:
            table = self.make(*key)
            self.make_room(table.nbytes + OVERHEAD)
        self.tables[key] = table
        return table

    def make_room(self, count: int) -> None:
        """For so many bytes, as far as there is any."""
        excess = self.nbytes + count - MOST
        for key, table in self.tables.copy().items():
            if excess <= 0:
                break
            self.tables.pop(key, None)
            excess -= table.nbytes + OVERHEAD

    @property
    def nbytes(self) -> int:
        """Of all tables together."""
        tables = self.tables.copy()  # in one go: other threads may change them meanwhile
        return sum(table.nbytes + OVERHEAD for table in tables.values())
