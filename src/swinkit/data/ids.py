"""What samples are called: millions of names in little memory.

A tuple of strings takes 100 bytes and more for each, and every process that reads pictures copies those it
looks at, since an object that is looked at is written to.
"""

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from typing import overload

LONE = "surrogatepass"  # bytes of a file's name that are no text come back as Python spelled them


class Ids(Sequence[str]):
    """Names that are made when they are asked for; equal to any sequence of the same names."""

    @abstractmethod
    def name(self, index: int) -> str:
        """The name of a sample, counted from 0."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """As of any sequence."""
        found = range(len(self))[index]
        return self.name(found) if isinstance(found, int) else [self.name(i) for i in found]

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same names in the same order."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  as of lists


class Texts(Ids):
    """Names of any kind, one behind the other, and where each ends: 8 bytes more than its letters."""

    def __init__(self, names: Iterable[str]):
        self.letters, self.ends = bytearray(), array("q", (0,))
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """One more, while they are found."""
        self.letters += name.encode("utf-8", LONE)
        self.ends.append(len(self.letters))

    def __len__(self) -> int:
        """N."""
        return len(self.ends) - 1

    def name(self, index: int) -> str:
        """The name of a sample."""
        return self.letters[self.ends[index] : self.ends[index + 1]].decode("utf-8", LONE)


class Rows(Ids):
    """Rows of a table, called `SPLIT/0`, `SPLIT/1` and so on: no memory at all."""

    def __init__(self, split: str, count: int):
        self.split, self.rows = split, count

    def __len__(self) -> int:
        """N."""
        return self.rows

    def name(self, index: int) -> str:
        """The name of a row."""
        return f"{self.split}/{index}"
