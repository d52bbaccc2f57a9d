"""What ends a training early: being asked to, or an error that the other processes must hear of first.

The first SIGTERM, Ctrl-C or SIGHUP (a terminal that is closed) is remembered, the second ends the process at
once; but not its echo: what stops a job signals all its processes, and one that started others hands it on.
An error where no other process takes part, as in reading or writing, is held until all know: a process that
left at once would leave the others in the middle of an exchange.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn, Self

import torch

from ..errors import SwinkitError
from .exchange import everyones, first_code, rank

ASKING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
ECHO = 0.5  # seconds after the first signal in which another is the same request, come by another way
OFFSET = 128  # of the exit code of a process that a signal ended


class Signals:
    """While entered: `received` is the number of the first signal that asked to stop, 0 until then.

    Processes forked meanwhile, such as those that read data, pass over them: their parent ends them.
    Outside the main thread Python lets nobody listen, and nothing is received. `error` is the first that was
    held, entered or not. Processes tell each other from `device`.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.received, self.since = 0, 0.0
        self.error: Exception | None = None
        self.owner = os.getpid()
        self.before = {}

    def __enter__(self) -> Self:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.note) for number in heard()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whoever listened before does again."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  so are handlers called
        """Remember the first; at the second, leave without cleaning up: checkpoints survive that."""
        if os.getpid() != self.owner:
            return
        if not self.received:
            self.received, self.since = number, time.monotonic()
        elif time.monotonic() - self.since > ECHO:
            os._exit(OFFSET + number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """An error inside is kept in `error`, to be told when all processes can hear it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever it is, the others must not wait in vain
            self.error = self.error or error

    @property
    def failed(self) -> int:
        """The exit code of the error that is held, 0 without one."""
        code = self.error.exit_code if isinstance(self.error, SwinkitError) else 1
        return code if self.error is not None else 0

    @property
    def code(self) -> int:
        """The exit code to leave with: that of an error, else that of a signal; 0 to go on."""
        return self.failed or (OFFSET + self.received if self.received else 0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All go on from here, unless there was an error inside in one of them; all call this.

        Raises:
            Exception, SystemExit: as `leave` does.
        """
        with self.held():
            yield
        code = first_code(self.failed, self.device)
        if code:
            self.leave(code)

    def leave(self, code: int) -> NoReturn:
        """End with the exit code that all have agreed on, now that all is saved; all call this.

        Of an error the first process that holds one tells.

        Raises:
            Exception: the error that was held.
            KeyboardInterrupt: it was Ctrl-C.
            SystemExit: it was another signal, with its exit code (143 for SIGTERM), or the error of another.
        """
        failed = everyones(torch.tensor(self.failed, device="cpu"), self.device).tolist()
        if self.error is not None and not any(failed[: rank()]):
            raise self.error
        if code == OFFSET + signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(code)


def is_failure(code: int) -> bool:
    """Whether an exit code is that of an error."""
    return 0 < code < OFFSET


def heard() -> list[signal.Signals]:
    """The signals to listen to; not SIGHUP where it is ignored, as under `nohup`."""
    return [
        number
        for number in ASKING
        if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
    ]
