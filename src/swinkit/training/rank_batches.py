"""Batches of one rank, which keeps in step with the others if one cannot be read."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from .distributed import reduce_exit_code
from .stopping import Signals

Item = TypeVar("Item")


class RankBatches(Generic[Item]):
    """The batches of one rank. If reading one fails, the previous batch is repeated.

    So all ranks finish the step; `signals` keep the error, and then all drop the step and stop.
    """

    def __init__(self, batches: Iterator[Item], signals: Signals):
        self.batches, self.signals = batches, signals
        self.ahead: list[Item] = []

    def begin(self) -> int:
        """Read the first batch; return the exit code to leave with if a rank could not, else 0.

        All ranks call this, also those for which there is nothing to read.
        """
        with self.signals.defer_error():
            self.ahead = [batch for batch in (next(self.batches, None),) if batch is not None]
        return reduce_exit_code(self.signals.error_code, self.signals.device)

    def next(self) -> Item:
        """Return the next batch."""
        if self.ahead:
            self.last = self.ahead.pop()
        elif self.signals.error is None:
            with self.signals.defer_error():
                self.last = next(self.batches)
        return self.last
