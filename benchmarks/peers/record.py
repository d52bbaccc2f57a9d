"""The record of a run, as `bench.json` keeps it. Seconds, bytes, operations a second. Torch-free."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from swinkit.errors import DataError, EnvironmentProblem

from .candidates import CANDIDATES
from .cases import GROWTH, Case
from .statistics import Quartiles, Ratio, quartiles, speed_up

VERSION = 2
MEASURED, MISSING, FAILED, STOPPED = "measured", "missing", "failed", "stopped"  # states of a result
FILE = "bench.json"


@dataclass
class Result:
    """One candidate of one case. `rounds` hold the seconds of each call, round by round.

    `memory` is the peak in bytes; `difference` the largest to plain swinkit, divided by its largest value.
    """

    candidate: str
    state: str = STOPPED
    reason: str = ""
    rounds: list[list[float]] = field(default_factory=list)
    memory: int | None = None
    difference: float | None = None

    @property
    def seconds(self) -> Quartiles:
        """The quartiles of a call over the rounds, of a valid result."""
        return quartiles(self.medians)

    @property
    def medians(self) -> list[float]:
        """The median call of each round."""
        return [quartiles(calls).median for calls in self.rounds]

    @property
    def is_valid(self) -> bool:
        """True if the candidate did not fail and has at least one round."""
        return self.state in (MEASURED, STOPPED) and bool(self.rounds)


@dataclass
class CaseRecord:
    """One case and the results of its candidates."""

    case: Case
    results: list[Result] = field(default_factory=list)

    def fastest(self, *, ours: bool, eager: bool = False) -> Result | None:
        """Return the fastest valid result of ours or of the peers, among all or the eager ones."""
        pairs = ((result, CANDIDATES[result.candidate]) for result in self.results if result.is_valid)
        fitting = (result for result, kind in pairs if kind.ours == ours and (kind.eager or not eager))
        return min(fitting, key=lambda result: result.seconds.median, default=None)

    @property
    def fastest_peer(self) -> Result | None:
        """The peer with the smallest time."""
        return self.fastest(ours=False)

    def speed_up(self, result: Result) -> Ratio | None:
        """Return the speed-up over the fastest peer; None if there is nothing to compare."""
        fastest = self.fastest_peer
        if fastest is None or not result.is_valid:
            return None
        return speed_up(fastest.medians, result.medians)

    def rate(self, result: Result) -> float:
        """Return the operations a second of a valid result."""
        return self.case.operations(result.candidate) / result.seconds.median


@dataclass
class Record:
    """A run: command, date, machine, versions, roofline, the cases so far, and the seconds they took."""

    command: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    roofline: dict[str, float]
    cases: list[CaseRecord] = field(default_factory=list)
    seconds: float = 0.0

    def raise_roofline(self, rates: Mapping[str, float]) -> None:
        """Take the rates that are higher than before."""
        for name, rate in rates.items():
            self.roofline[name] = max(rate, self.roofline.get(name, 0.0))

    def write(self, path: Path) -> None:
        """Write the record to a file, whole or not at all.

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
        """Read a record.

        Raises:
            DataError: the file is no record of this version.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("version") != VERSION:
                raise DataError(f"{path} was written by another version; measure anew")
            cases = [case_record(each) for each in values.pop("cases")]
            return cls(**values, cases=cases)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (ValueError, LookupError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is no record of `python -m benchmarks.peers`") from None


def case_record(values: Mapping[str, Any]) -> CaseRecord:
    """Parse a case of a file."""
    case = Case(**{**values["case"], "size": tuple(values["case"]["size"])})
    return CaseRecord(case, [Result(**each) for each in values["results"]])


def growth(record: Record, candidate: str) -> list[tuple[int, Result]]:
    """Return the pixels of each growth case, ascending, with the candidate's valid result."""
    pairs = [
        (math.prod(each.case.size), result)
        for each in record.cases
        if each.case.workload == GROWTH
        for result in each.results
        if result.candidate == candidate and result.is_valid
    ]
    return sorted(pairs, key=lambda pair: pair[0])
