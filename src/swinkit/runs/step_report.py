"""Numbers that a training reports at each step; `cli/progress_bar.py` shows them."""

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

logger = logging.getLogger(__name__)

SMOOTHING = 0.9  # of what is told: so much of the last value remains


@dataclass(frozen=True)
class Report:
    """Report on one optimiser step."""

    epoch: int  # from 1
    epochs: int
    step: int  # from 1, in the epoch
    steps: int
    loss: float
    rate: float  # learning rate, the largest of all groups
    images_per_second: float  # over all processes
    waiting: float  # fraction of the time that was spent waiting for data, in [0, 1]
    memory: float  # bytes: of the accelerator's memory at most, else of the process's own
    seconds_left: float

    def __str__(self) -> str:
        """Return the report as one line."""
        return (
            f"epoch {self.epoch}/{self.epochs}  step {self.step}/{self.steps}  loss {self.loss:.4f}  "
            f"lr {self.rate:.2e}  {self.images_per_second:.0f} images/s  data wait {self.waiting:.0%}  "
            f"{self.memory / 2**30:.1f} GiB  {clock(self.seconds_left)} left"
        )


Reporting = Callable[[Report | str], None]  # every step, and what else is to be said


def log_lines(said: Report | str) -> None:
    """Log lines of text; ignore steps."""
    if isinstance(said, str):
        logger.info(said)


def clock(seconds: float) -> str:
    """Return seconds as hours, minutes and seconds: 3725 -> 1:02:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


@dataclass
class Stopwatch:
    """Smoothed time of steps, and of waiting for data in them."""

    began: float = field(default_factory=time.perf_counter)
    step: float = 0.0  # seconds, smoothed
    wait: float = 0.0
    waited: float = 0.0  # since the last step
    steps: int = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside the context as waiting for data."""
        since = time.perf_counter()
        yield
        self.waited += time.perf_counter() - since

    def lap(self) -> float:
        """Finish a step, and return the seconds that it took."""
        now = time.perf_counter()
        seconds, self.began = now - self.began, now
        kept = SMOOTHING if self.steps else 0.0
        self.step = kept * self.step + (1 - kept) * seconds
        self.wait = kept * self.wait + (1 - kept) * self.waited
        self.waited, self.steps = 0.0, self.steps + 1
        return seconds


def memory_used(device: torch.device) -> float:
    """Return the peak memory in bytes of an NVIDIA device, else of this process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    import resource  # which Windows lacks, where nothing trains

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def spell_non_finite(numbers: Mapping[str, float]) -> dict[str, float | str]:
    """Return numbers as JSON can hold them: those that are not finite as words."""
    return {name: value if math.isfinite(value) else str(value) for name, value in numbers.items()}
