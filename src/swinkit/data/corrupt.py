"""Corrupt samples in training: replaced, counted and listed, up to a stated fraction.

In validation a corrupt sample is an error: a score must be about the samples that it names.
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

ATTEMPTS = 10  # replacements tried for a corrupt sample
COLUMNS = ("id", "reason", "replaced_by")


@dataclass(frozen=True)
class CorruptSample:
    """A sample that could not be read, the reason, and its replacement."""

    id: str
    reason: str
    replaced_by: str


def read_or_replace(
    samples: Samples,
    index: int,
    read: Callable[[int], Sample],
    *,
    seed: int,
    epoch: int,
    corrupt: list[CorruptSample],
) -> Sample:
    """Read a sample, or one of its replacements under its id; what cannot be read is added to `corrupt`.

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
        corrupt.append(CorruptSample(name, first.reason, found.id))
        return replace(found, id=name)
    raise DataError(f"{first}; {count} replacements from the same class could not be read either")


@dataclass
class CorruptSamples:
    """The corrupt samples that a training has met so far, each once; also written to the file `listing`."""

    total: int  # samples of the training set
    most: float  # the largest fraction of them that may be corrupt
    listing: Path | None = None
    found: dict[str, CorruptSample] = field(default_factory=dict)
    reported: int = 0  # of those found, that `news` has returned

    def add(self, corrupt: Sequence[CorruptSample]) -> None:
        """Add the corrupt samples of one micro-batch.

        Raises:
            DataError: there are too many by now.
            EnvironmentProblem: the list cannot be written.
        """
        new = {each.id: each for each in corrupt if each.id not in self.found}
        if not new:
            return
        self.found |= new
        if self.listing is not None:
            write(self.listing, new)
        self.refuse_more()

    def meet(self, listings: Iterable[Path]) -> None:
        """Add what other processes, and earlier parts of the same training, have listed in these files.

        Raises:
            DataError: there are too many by now.
            EnvironmentProblem: a list cannot be read.
        """
        for path in listings:
            listed = read(path)
            self.reported += sum(name not in self.found for name in listed)
            self.found = listed | self.found
        self.refuse_more()

    def news(self) -> int:
        """Return how many this process has met since the last call."""
        since = len(self.found) - self.reported
        self.reported += since
        return since

    def refuse_more(self) -> None:
        """Stop a training if too many samples are corrupt.

        Raises:
            DataError: they are.
        """
        if len(self.found) > self.most * self.total:
            last, enough = next(reversed(self.found.values())), enough_for(len(self.found), self.total)
            raise DataError(
                f"{len(self.found)} of {self.total} training pictures cannot be read, more than "
                f"data.max_bad_fraction={self.most:g} allows, for example {last.id}: {last.reason}; mend "
                "them (`swinkit data check` lists them), or allow them by "
                f"data.max_bad_fraction={enough:g}"
            )


def enough_for(corrupt: int, total: int) -> float:
    """Return the smallest `data.max_bad_fraction`, in thousandths below 1, that allows so many of `total`."""
    thousandths = -(-1000 * corrupt // total)
    thousandths += corrupt > thousandths / 1000 * total  # where the product is rounded down
    return min(thousandths, 999) / 1000


def read(path: Path) -> dict[str, CorruptSample]:
    """Read a list of corrupt samples, by id.

    Raises:
        EnvironmentProblem: it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = list(csv.reader(file))[1:]
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be read: {error.strerror or error}") from None
    return {row[0]: CorruptSample(*row) for row in rows if len(row) == len(COLUMNS)}


def write(path: Path, new: dict[str, CorruptSample]) -> None:
    """Add samples to a list, as CSV; at any moment the file is either the old or the new one.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    rows = (read(path) if path.exists() else {}) | new
    with (
        atomic_write(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        csv.writer(file).writerows([COLUMNS, *map(astuple, rows.values())])
