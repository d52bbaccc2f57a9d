"""The runner: measures all candidates of a case, each in its own process, round by round. Torch-free.

Whatever slows the machine down for a while slows all candidates alike. The order of each round is drawn anew,
so that no candidate always follows the same one. The results do not decide when to stop. A candidate that
fails, hangs or is killed is reported, and the others go on.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from swinkit.engine.statistics import MIN_ROUNDS

from .candidates import Candidate
from .cases import Case
from .process import WORKER, MissingPackage, Process, ProcessFailure, child_environment
from .record import FAILED, MEASURED, MISSING, CaseRecord, Result

MAX_ROUNDS = 40
ROUND = 0.4  # seconds of a candidate in a round; one call at least
MAX_CALLS = 20  # in a round
OVERTIME = 8  # times the budget, after which even fewer rounds than MIN_ROUNDS suffice
TOLERANCE = {"cpu": 1e-3, "cuda": 0.1}  # relative difference to plain swinkit: of fp32, of bf16

Notify = Callable[[str], None]  # called with the current step


@dataclass(frozen=True)
class Budget:
    """Limits in seconds: the rounds of a case; a candidate's start-up; one of its rounds, at least."""

    rounds: float
    start: float = 300.0
    compiling: float = 1800.0  # start-up of a candidate that is not quick
    call: float = 120.0


@dataclass(frozen=True)
class Settings:
    """The settings of all candidates: threads, the folder that caches files between runs, and limits."""

    threads: int
    cache: Path
    budget: Budget


class Contender:
    """A candidate whose process is ready, and its result, which grows."""

    def __init__(self, result: Result, process: Process, seconds: float, tolerance: float):
        self.result = result
        self.process = process
        self.tolerance = tolerance
        self.calls = max(1, min(MAX_CALLS, round(ROUND / seconds)))
        self.limit = 20 * seconds * (self.calls + 1)  # seconds of a round

    def measure(self, budget: Budget) -> None:
        """Measure one round."""
        answer = self.process.ask({"calls": self.calls}, max(budget.call, self.limit))
        self.result.rounds.append(answer["seconds"])

    def verify(self, budget: Budget) -> None:
        """Compare with plain swinkit, after all rounds because that takes memory and time."""
        answer = self.process.ask({"verify": True}, max(budget.start, self.limit))
        difference = self.result.difference = answer["difference"]
        if difference is not None and not difference <= self.tolerance:
            raise ProcessFailure(
                f"computes something else: it differs by {difference:.0e} of the largest value"
            )
        self.result.state = MEASURED

    def attempt(self, step: Callable[[Budget], None], budget: Budget) -> bool:
        """Run a step; return False if it fails, and write the reason into the result."""
        try:
            step(budget)
        except ProcessFailure as failure:
            self.result.state, self.result.reason = FAILED, str(failure)
            return False
        return True


def measure(record: CaseRecord, candidates: Sequence[Candidate], settings: Settings, notify: Notify) -> None:
    """Fill `record` with the results of the candidates; after an interruption it holds those so far."""
    name = record.case.name
    with ExitStack() as processes:
        contenders = []
        for candidate in candidates:
            notify(f"{name}: building {candidate.name}")
            result = Result(candidate.name)
            record.results.append(result)
            contender = start(result, candidate, record.case, settings)
            if contender is not None:
                contenders.append(contender)
                processes.callback(contender.process.end)
        for contender in run_rounds(contenders, name, settings.budget, notify):
            notify(f"{name}: verifying {contender.result.candidate}")
            contender.attempt(contender.verify, settings.budget)


def start(result: Result, candidate: Candidate, case: Case, settings: Settings) -> Contender | None:
    """Start a candidate; None if it is missing or fails, with the reason in `result`."""
    if candidate.missing_packages:
        reason = f"not installed: pip install {' '.join(candidate.missing_packages)}"
        result.state, result.reason = MISSING, reason
        return None
    request = {
        "candidate": candidate.name,
        "case": asdict(case),
        "threads": settings.threads,
        "cache": str(settings.cache),
    }
    process = Process(WORKER, request, child_environment(settings.threads, settings.cache))
    try:
        answer = process.receive(settings.budget.start if candidate.quick else settings.budget.compiling)
    except ProcessFailure as failure:
        result.state = MISSING if isinstance(failure, MissingPackage) else FAILED
        result.reason = str(failure)
        return None
    except BaseException:  # after Ctrl-C nothing else would end the process
        process.end()
        raise
    result.memory = answer["memory"]
    return Contender(result, process, answer["seconds"], TOLERANCE[case.device])


def run_rounds(
    contenders: Sequence[Contender], name: str, budget: Budget, notify: Notify
) -> Sequence[Contender]:
    """Measure all, round after round, each in another order; return those that have not failed."""
    done, begin, generator = 0, time.perf_counter(), Random(0)
    while contenders and not is_enough(done, time.perf_counter() - begin, budget.rounds):
        notify(f"{name}: round {done + 1} of {MIN_ROUNDS} or more, {len(contenders)} candidates")
        order = generator.sample(contenders, len(contenders))
        failed = [each for each in order if not each.attempt(each.measure, budget)]
        contenders = [each for each in contenders if each not in failed]
        done += 1
    return contenders


def is_enough(done: int, seconds: float, budget: float) -> bool:
    """Return True if the rounds may end: enough are done, or the time is spent."""
    if done < MIN_ROUNDS:
        return done > 0 and seconds > OVERTIME * budget
    return done >= MAX_ROUNDS or seconds > budget
