"""Being asked to stop: the first SIGTERM or Ctrl-C is remembered, the second ends the process at once."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import NoReturn, Self

ASKING = (signal.SIGTERM, signal.SIGINT)
OFFSET = 128  # of the exit code of a process that a signal ended


class Signals:
    """While entered: `received` is the number of the first signal that asked to stop, 0 until then.

    Processes forked meanwhile, such as those that read data, pass over both: their parent ends them.
    Outside the main thread Python lets nobody listen, and nothing is received.
    """

    def __init__(self) -> None:
        self.received = 0
        self.owner = os.getpid()
        self.before = {}

    def __enter__(self) -> Self:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self.note) for number in ASKING}
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
        if self.received:
            os._exit(OFFSET + number)
        self.received = number


def leave(number: int) -> NoReturn:
    """End as a process does that signal `number` ended, now that all is saved.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
        SystemExit: it was another, with its exit code (143 for SIGTERM).
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(OFFSET + number)
