"""Reasons that end a training: a signal, a deferred error, a limit.

It is asked to stop: the first SIGTERM, Ctrl-C or SIGHUP (a terminal that is closed) is remembered, the
second ends the process at once; but not its echo, because what stops a job signals all its processes, and a
process that started others forwards the signal. An error where no other process takes part, as in reading or
writing, is deferred until all know, because a process that left at once would leave the others in the middle
of an exchange. Or all epochs or iterations are done, time or patience is over, or steps come to nothing.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

import torch

from ..data.batch import leaves_of
from ..errors import DataError, SwinkitError
from ..runs.progress import Length, Progress, quantity
from ..settings.recipe import Recipe
from ..settings.run import Run
from ..tasks.observed import Observed
from .distributed import all_gather, rank, reduce_exit_code

ASKING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
ECHO = 0.5  # seconds after the first signal in which another is the same request, come by another way
OFFSET = 128  # of the exit code of a process that a signal ended


class Signals:
    """The first signal that asked to stop, and the first error that was deferred.

    While entered, `received` is the number of that signal, 0 until then. Forked processes, such as those that
    read data, ignore signals, because their parent ends them. Outside the main thread Python lets nobody
    listen, and nothing is received. `error` is set, entered or not. Exchanges are sent from `device`.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.received, self.since = 0, 0.0
        self.error: Exception | None = None
        self.owner = os.getpid()
        self.before = {}

    def __enter__(self) -> Self:
        """Listen for signals."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.note) for number in stop_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the handlers that were there before."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  so are handlers called
        """Remember the first signal; at the second, leave without cleaning up, which checkpoints survive."""
        if os.getpid() != self.owner:
            return
        if not self.received:
            self.received, self.since = number, time.monotonic()
        elif time.monotonic() - self.since > ECHO:
            os._exit(OFFSET + number)

    @contextmanager
    def defer_error(self) -> Iterator[None]:
        """Keep an error inside in `error`, to be raised when all ranks know of it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever it is, the others must not wait in vain
            self.error = self.error or error

    @property
    def error_code(self) -> int:
        """The exit code of the deferred error, 0 without one."""
        code = self.error.exit_code if isinstance(self.error, SwinkitError) else 1
        return code if self.error is not None else 0

    @property
    def exit_code(self) -> int:
        """The exit code to leave with: that of an error, else that of a signal; 0 to go on."""
        return self.error_code or (OFFSET + self.received if self.received else 0)

    @contextmanager
    def raise_together(self) -> Iterator[None]:
        """Go on only if there was no error inside in any process; all call this.

        Raises:
            Exception, SystemExit: as `leave` does.
        """
        with self.defer_error():
            yield
        code = reduce_exit_code(self.error_code, self.device)
        if code:
            self.leave(code)

    def leave(self, code: int) -> NoReturn:
        """End with the exit code that all have agreed on, once all is saved; all call this.

        Of several errors, the first process's is raised.

        Raises:
            Exception: the deferred error.
            KeyboardInterrupt: it was Ctrl-C.
            SystemExit: it was another signal, with its exit code (143 for SIGTERM), or the error of another.
        """
        failed = all_gather(torch.tensor(self.error_code, device="cpu"), self.device).tolist()
        if self.error is not None and not any(failed[: rank()]):
            raise self.error
        if code == OFFSET + signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(code)


def is_failure(code: int) -> bool:
    """Return whether an exit code is that of an error."""
    return 0 < code < OFFSET


def stop_signals() -> list[signal.Signals]:
    """Return the signals to listen to; not SIGHUP where it is ignored, as under `nohup`."""
    return [
        number
        for number in ASKING
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]


def why_over(progress: Progress, length: Length, run: Run) -> str:
    """Return the reason why training is over, or "" if it continues, as it does until it is evaluated."""
    if length.is_over(progress):
        return f"all {length.schedule.unit}s are done"
    if not progress.is_evaluated:
        return ""
    if run.patience is not None and progress.since_best >= run.patience:
        what = "evaluation" if length.interval != length.steps else "epoch"
        return f"{quantity(progress.since_best, what)} brought no better score"
    return f"the {run.hours:g} hours are over" if out_of_time(progress, run) else ""


def out_of_time(progress: Progress, run: Run) -> bool:
    """Return whether it has trained for as long as it may."""
    return run.hours is not None and progress.seconds >= run.hours * 3600


def remedy(recipe: Recipe) -> str:
    """Return what to try after a training that diverged; resumed, it would go on from bad weights."""
    optimiser = recipe.optimiser
    tries = [f"a lower learning rate, such as optimiser.lr={optimiser.lr / 10:g}"]
    tries += ["optimiser.clip_norm=5"] * (optimiser.clip_norm is None)
    tries += ["run.precision=bf16"] * (recipe.run.precision == "fp16")
    return f"begin anew in another folder with {' or '.join(tries)}"


def refuse_more(progress: Progress, recipe: Recipe) -> None:
    """Stop a training whose steps come to nothing.

    Raises:
        DataError: as many as `run.bad_steps` in a row were skipped.
    """
    if progress.skipped_in_row >= recipe.run.bad_steps:
        raise DataError(
            f"{recipe.run.bad_steps} steps in a row had no finite loss and gradient, up to epoch "
            f"{progress.epoch + 1}, step {progress.step}; log.jsonl of the run lists their samples; "
            f"look at these, or {remedy(recipe)}"
        )


def refuse_end(progress: Progress, length: Length, recipe: Recipe) -> None:
    """Refuse to call a training done that took hardly any steps, or none at its end.

    A single skipped step is no sign of it, because fp16 lowers the scale of the loss so now and then.

    Raises:
        DataError: it is over, and most of its steps were skipped, or all since the evaluation before.
    """
    at_last = progress.skipped_in_row >= max(2, length.interval)
    if progress.ended and (at_last or 2 * progress.skipped > progress.updates):
        raise DataError(
            f"{progress.skipped} of {quantity(progress.updates, 'step')} had no finite loss and gradient, "
            f"and were skipped{', at last all' * at_last}: learning has diverged; {remedy(recipe)}"
        )


def refuse_divergence(
    progress: Progress, length: Length, observed: Observed, score: float, recipe: Recipe
) -> None:
    """Stop a training whose weights have grown out of all bounds.

    Raises:
        DataError: no record of a validation sample is finite; or there are only counts, whose `score` is not.
    """
    records = observed.records.values()
    if not (any(map(is_finite, records)) if records else math.isfinite(score)):
        raise DataError(
            f"after {length.reached(progress)} the model has no finite answer to any picture of the "
            f"validation split, with {progress.skipped} steps skipped so far: learning has diverged; "
            f"{remedy(recipe)}"
        )


def is_finite(record: Any) -> bool:
    """Return whether all numbers and tensors in a record, nested or not, are finite."""
    return all(
        bool(torch.as_tensor(leaf).isfinite().all())
        for leaf in leaves_of(record)
        if isinstance(leaf, float | torch.Tensor)
    )
