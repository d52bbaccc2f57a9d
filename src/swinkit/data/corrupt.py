"""Pictures that cannot be read, in training: replaced, counted and listed, up to a stated fraction.

In validation a bad picture is an error: a number must be about the pictures that it names.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

from ..errors import DataError, EnvironmentProblem
from ..files.atomic import atomic_write
from .images import ImageError
from .rng import draws
from .sample import Sample, Samples

ATTEMPTS = 10  # pictures tried in the place of a bad one
COLUMNS = ("id", "reason", "replaced_by")


@dataclass(frozen=True)
class Bad:
    """One picture that could not be read, why, and which one stood in."""

    id: str
    reason: str
    replaced_by: str


def read_or_replace(
    samples: Samples, index: int, read: Callable[[int], Sample], *, seed: int, epoch: int, bad: list[Bad]
) -> Sample:
    """Read a sample, or one of its replacements under its id; what cannot be read is added to `bad`.

    Which replacement is taken follows from (seed, epoch, id).

    Raises:
        DataError: neither the sample nor several of its replacements can be read.
    """
    try:
        return read(index)
    except ImageError as error:
        first = error
    name, candidates = samples.ids[index], samples.replacements(index)
    count = min(ATTEMPTS, len(candidates))
    for other in draws(seed, epoch, name, "replacement").sample(candidates, count):
        try:
            found = read(other)
        except ImageError:
            continue
        bad.append(Bad(name, first.reason, found.id))
        return replace(found, id=name)
    raise DataError(f"{first}; nor can {count} others of its class be read")


@dataclass
class BadPictures:
    """What a training has met so far, each picture once.

    With `listing` they are also listed in that file, from the first on.
    """

    total: int  # pictures of the training set
    most: float  # the largest fraction of them that may be bad
    listing: Path | None = None
    found: dict[str, Bad] = field(default_factory=dict)
    told: int = 0  # of those found, that `news` has counted

    def add(self, bad: Sequence[Bad]) -> None:
        """Count those of one micro-batch.

        Raises:
            DataError: there are too many by now.
            EnvironmentProblem: the list cannot be written.
        """
        new = {each.id: each for each in bad if each.id not in self.found}
        if not new:
            return
        self.found |= new
        if self.listing is not None:
            write(self.listing, new)
        self.refuse_more()

    def meet(self, listings: Iterable[Path]) -> None:
        """Count also what other processes, and earlier parts of the same training, have listed there.

        Raises:
            DataError: there are too many by now.
            EnvironmentProblem: a list cannot be read.
        """
        for path in listings:
            listed = read(path)
            self.told += sum(name not in self.found for name in listed)
            self.found = listed | self.found
        self.refuse_more()

    def news(self) -> int:
        """How many this process has met since the last call."""
        since = len(self.found) - self.told
        self.told += since
        return since

    def refuse_more(self) -> None:
        """Stop a training of which too much is missing.

        Raises:
            DataError: it is.
        """
        if len(self.found) > self.most * self.total:
            last = next(reversed(self.found.values()))
            raise DataError(
                f"{len(self.found)} of {self.total} training pictures cannot be read, more than "
                f"data.max_bad_fraction={self.most:g} allows; `swinkit data check` lists them; "
                f"for example {last.id}: {last.reason}"
            )


def read(path: Path) -> dict[str, Bad]:
    """The pictures that a list names.

    Raises:
        EnvironmentProblem: it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.reader(file))[1:]
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be read: {error.strerror or error}") from None
    return {row[0]: Bad(*row) for row in rows if len(row) == len(COLUMNS)}


def write(path: Path, new: dict[str, Bad]) -> None:
    """Add pictures to a list, as CSV; at any moment it is either the old or the new one.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    rows = (read(path) if path.exists() else {}) | new
    with (
        atomic_write(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        csv.writer(file).writerows([COLUMNS, *map(astuple, rows.values())])
