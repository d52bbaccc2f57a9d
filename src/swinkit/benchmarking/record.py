"""All that a run measured, as `bench.json` keeps it. Seconds, bytes, operations a second. Torch-free."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import DataError, EnvironmentProblem
from .candidates import CANDIDATES
from .rows import GROW, Row
from .spread import Ratio, Spread, compared, spread

VERSION = 1
MEASURED, ABSENT, FAILED, STOPPED = "measured", "absent", "failed", "stopped"  # states of a result
FILE = "bench.json"


@dataclass
class Result:
    """One candidate at one row; `rounds` hold the seconds of each call, round by round.

    `difference` is the largest to plain swinkit, as a share of the largest value.
    """

    candidate: str
    state: str = STOPPED
    reason: str = ""
    rounds: list[list[float]] = field(default_factory=list)
    memory: int | None = None
    difference: float | None = None

    @property
    def seconds(self) -> Spread:
        """Of a call, over the rounds; of a result that counts."""
        return spread(self.middles)

    @property
    def middles(self) -> list[float]:
        """The middle call of each round."""
        return [spread(calls).middle for calls in self.rounds]

    @property
    def counts(self) -> bool:
        """Whether it can be compared: it was measured, and not stopped before the first round."""
        return self.state in (MEASURED, STOPPED) and bool(self.rounds)


@dataclass
class Measured:
    """One row, and what came of each candidate."""

    row: Row
    results: list[Result] = field(default_factory=list)

    def fastest(self, *, ours: bool, eager: bool = False) -> Result | None:
        """Of those that count, of ours or of the peers: all, or the eager ones alone."""
        kinds = ((found, CANDIDATES[found.candidate]) for found in self.results if found.counts)
        fitting = (found for found, kind in kinds if kind.ours == ours and (kind.eager or not eager))
        return min(fitting, key=lambda found: found.seconds.middle, default=None)

    @property
    def fastest_peer(self) -> Result | None:
        """The peer with the smallest time, which ours are compared with."""
        return self.fastest(ours=False)

    def ratio(self, result: Result) -> Ratio | None:
        """How many times as fast as the fastest peer a result is; None where there is nothing to compare."""
        fastest = self.fastest_peer
        if fastest is None or not result.counts:
            return None
        return compared(fastest.middles, result.middles)

    def rate(self, result: Result) -> float:
        """Operations a second, of a result that counts."""
        return self.row.operations(result.candidate) / result.seconds.middle


@dataclass
class Record:
    """A run: where and when, the machine's ceilings (as `ceiling` measures them), and the rows so far.

    `seconds` are those that it has taken; records of older versions do not tell them.
    """

    command: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    ceiling: dict[str, float]
    rows: list[Measured] = field(default_factory=list)
    seconds: float = 0.0

    def raise_ceiling(self, found: Mapping[str, float]) -> None:
        """Take what was measured once more, where it is higher."""
        for name, rate in found.items():
            self.ceiling[name] = max(rate, self.ceiling.get(name, 0.0))

    def write(self, path: Path) -> None:
        """Put it into a file, whole or not at all.

        Raises:
            EnvironmentProblem: it cannot be written.
        """
        new = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps({"version": VERSION, **asdict(self)}, indent=1) + "\n", "utf-8")
            new.replace(path)
        except OSError as error:
            raise EnvironmentProblem(f"{path}: cannot be written: {error.strerror or error}") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` wrote.

        Raises:
            DataError: it is no such file.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("version") != VERSION:
                raise DataError(f"{path} was written by another version of swinkit; measure anew")
            rows = [measured(each) for each in values.pop("rows")]
            return cls(**values, rows=rows)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (ValueError, LookupError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is no record of `swinkit bench`") from None


def measured(values: Mapping[str, Any]) -> Measured:
    """A row of a file."""
    row = Row(**{**values["row"], "size": tuple(values["row"]["size"])})
    return Measured(row, [Result(**each) for each in values["results"]])


def growth(record: Record, candidate: str) -> list[tuple[int, Result]]:
    """Pixels of a picture, and what a candidate needed for it, from the smallest."""
    found = [
        (math.prod(each.row.size), result)
        for each in record.rows
        if each.row.work == GROW
        for result in each.results
        if result.candidate == candidate and result.counts
    ]
    return sorted(found, key=lambda pair: pair[0])
