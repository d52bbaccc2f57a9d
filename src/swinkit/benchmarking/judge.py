"""Measures all candidates at a row, each in a process of its own, round by round. Torch-free.

What slows the machine down for a while so slows all of them alike, and is not taken for a difference. None
always follows the same one, and when to stop is no matter of what was found. A candidate that fails, hangs or
is killed is told so, and the others go on.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from .candidates import Candidate
from .process import WORKER, Absent, Failed, Process, surroundings
from .record import ABSENT, FAILED, MEASURED, Measured, Result
from .rows import Row
from .spread import FEWEST

ROUNDS = FEWEST  # at least
MOST_ROUNDS = 40
ROUND = 0.4  # seconds that a candidate is measured in a round; one call at least
MOST_CALLS = 20  # in a round
OVERTIME = 8  # times the budget, after which even fewer rounds are enough
ALLOWED = {"cpu": 1e-3, "cuda": 0.1}  # differences to plain swinkit: of fp32, and of bf16

Told = Callable[[str], None]  # what is being done


@dataclass(frozen=True)
class Patience:
    """In seconds: for the rounds of a row; for a candidate to be built and warm; for its round, at least."""

    row: float
    start: float = 300.0
    compiling: float = 1800.0  # for one that is not quick to be built and warm
    call: float = 120.0


@dataclass(frozen=True)
class Terms:
    """What is the same for all: threads, the folder for what is kept for the next time, and patience."""

    threads: int
    kept: Path
    patience: Patience


class Contender:
    """A candidate whose process is ready, and its result, which grows."""

    def __init__(self, result: Result, process: Process, seconds: float, allowed: float):
        self.result = result
        self.process = process
        self.allowed = allowed  # difference to plain swinkit
        self.calls = max(1, min(MOST_CALLS, round(ROUND / seconds)))
        self.longest = 20 * seconds * (self.calls + 1)  # seconds of a round, if nothing is wrong

    def measure(self, patience: Patience) -> None:
        """One round."""
        answer = self.process.ask({"calls": self.calls}, max(patience.call, self.longest))
        self.result.rounds.append(answer["seconds"])

    def compare(self, patience: Patience) -> None:
        """With plain swinkit, once all is measured, as that needs memory and time."""
        answer = self.process.ask({"compare": True}, max(patience.start, self.longest))
        found = self.result.difference = answer["difference"]
        if found is not None and not found <= self.allowed:
            raise Failed(f"computes something else: it differs by {found:.0e} of the largest value")
        self.result.state = MEASURED


def measure(measured: Measured, candidates: Sequence[Candidate], terms: Terms, told: Told) -> None:
    """Fill in what the candidates do for the row of `measured`; what is there when it is stopped, counts."""
    row = measured.row
    with ExitStack() as processes:
        contenders = []
        for candidate in candidates:
            told(f"{row.name}: building {candidate.name}")
            result = Result(candidate.name)
            measured.results.append(result)
            process = started(result, candidate, row, terms)
            if process is not None:
                contenders.append(process)
                processes.callback(process.process.end)
        contenders = rounds(contenders, row, terms, told)
        for contender in contenders:
            told(f"{row.name}: comparing what {contender.result.candidate} gives")
            attempt(contender, contender.compare, terms.patience)


def started(result: Result, candidate: Candidate, row: Row, terms: Terms) -> Contender | None:
    """A candidate that is built and warm; None if it is not there or fails, as its result then says."""
    if candidate.absent:
        result.state, result.reason = ABSENT, f"not installed: pip install {' '.join(candidate.absent)}"
        return None
    given = {
        "candidate": candidate.name,
        "row": asdict(row),
        "threads": terms.threads,
        "kept": str(terms.kept),
    }
    process = Process(WORKER, given, surroundings(terms.threads, terms.kept))
    try:
        answer = process.hear(terms.patience.start if candidate.quick else terms.patience.compiling)
    except Failed as failure:
        result.state = ABSENT if isinstance(failure, Absent) else FAILED
        result.reason = str(failure)
        return None
    except BaseException:  # Ctrl-C: nobody else knows of the process yet
        process.end()
        raise
    result.memory = answer["memory"]
    return Contender(result, process, answer["seconds"], ALLOWED[row.device])


def attempt(contender: Contender, step: Callable[[Patience], None], patience: Patience) -> bool:
    """Whether a step succeeds; if not, the result says why."""
    try:
        step(patience)
    except Failed as failure:
        contender.result.state, contender.result.reason = FAILED, str(failure)
        return False
    return True


def rounds(contenders: Sequence[Contender], row: Row, terms: Terms, told: Told) -> list[Contender]:
    """Measure all, again and again, each time in another order, as long as there is time; who is left."""
    left, done, start, drawn = list(contenders), 0, time.perf_counter(), Random(0)
    while left and not enough(done, time.perf_counter() - start, terms.patience.row):
        told(f"{row.name}: round {done + 1} of {ROUNDS} or more, {len(left)} candidates")
        order = drawn.sample(range(len(left)), len(left))
        failed = [left[i] for i in order if not attempt(left[i], left[i].measure, terms.patience)]
        left = [each for each in left if each not in failed]
        done += 1
    return left


def enough(done: int, seconds: float, budget: float) -> bool:
    """Whether the rounds may end."""
    if done < ROUNDS:
        return done > 0 and seconds > OVERTIME * budget
    return done >= MOST_ROUNDS or seconds > budget
