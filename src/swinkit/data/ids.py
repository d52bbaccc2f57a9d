"""Names of samples: millions in little memory.

A tuple of strings takes 100 bytes and more for each, and every worker process copies those that it reads,
since reading a Python object writes to its reference count.
"""

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from typing import overload

LONE = "surrogatepass"  # bytes of a file's name that are no text come back as Python spelled them


class Ids(Sequence[str]):
    """Names that are made on demand; equal to any sequence of the same names."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name of a sample, counted from 0."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return a name, or a list of names for a slice."""
        found = range(len(self))[index]
        return self.name(found) if isinstance(found, int) else [self.name(i) for i in found]

    def __eq__(self, other: object) -> bool:
        """Return whether `other` has the same names in the same order."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  as of lists


class Texts(Ids):
    """Names of any kind in one buffer with the end of each: 8 bytes more than its letters."""

    def __init__(self, names: Iterable[str]):
        self.letters, self.ends = bytearray(), array("q", (0,))
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Append a name."""
        self.letters += name.encode("utf-8", LONE)
        self.ends.append(len(self.letters))

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.ends) - 1

    def name(self, index: int) -> str:
        """Return the name of a sample."""
        return self.letters[self.ends[index] : self.ends[index + 1]].decode("utf-8", LONE)


class Rows(Ids):
    """Rows of a table, named `SPLIT/0`, `SPLIT/1` and so on, without memory for each."""

    def __init__(self, split: str, count: int):
        self.split, self.rows = split, count

    def __len__(self) -> int:
        """Return the number of names."""
        return self.rows

    def name(self, index: int) -> str:
        """Return the name of a row."""
        return f"{self.split}/{index}"
