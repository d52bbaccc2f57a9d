"""Processes that train together stay together: none breaks off while the others count on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import distributed as dist

from ..errors import SwinkitError, UsageError
from ..runs.progress import Progress
from .exchange import everyones, first_code
from .stopping import Signals

Item = TypeVar("Item")
GLOO = "/gloo/"  # in its messages: the file that one comes from


class Supply(Generic[Item]):
    """The batches of one process; in the place of one that cannot be read, the last one once more.

    So this process takes its part in the step that all are in; `signals` hold the error, and after the step
    all agree to stop, and forget it.
    """

    def __init__(self, batches: Iterator[Item], signals: Signals):
        self.batches, self.signals = batches, signals
        self.ahead: list[Item] = []

    def begin(self) -> int:
        """Read the first, which has none before it: the exit code to leave with if a process could not, or 0.

        All call this, also those for which there is nothing to read.
        """
        with self.signals.held():
            self.ahead = [batch for batch in (next(self.batches, None),) if batch is not None]
        return first_code(self.signals.failed, self.signals.device)

    def next(self) -> Item:
        """The next one."""
        if self.ahead:
            self.last = self.ahead.pop()
        elif self.signals.error is None:
            with self.signals.held():
                self.last = next(self.batches)
        return self.last


@contextmanager
def company() -> Iterator[None]:
    """That another process is gone, in one line; its own words tell why.

    Raises:
        SwinkitError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, SwinkitError) or not (isinstance(error, dist.DistError) or GLOO in str(error)):
            raise
        reason = str(error).splitlines()[0]
        raise SwinkitError(
            f"another process of this training has ended, so this one does; what it said tells why ({reason})"
        ) from None


def same_everywhere(progress: Progress, folder: Path, device: torch.device) -> None:
    """See to it that all processes go on from one place; all call this.

    Raises:
        UsageError: they do not, as without a folder that all of them see.
    """
    own = torch.tensor([progress.epoch, progress.step, progress.updates], device="cpu")
    places = everyones(own, device)
    strays = (places != places[0]).any(1).nonzero().flatten().tolist()
    if strays:
        names = [Progress(*place).name() for place in places[[0, strays[0]]].tolist()]
        raise UsageError(
            f"{folder}: process 0 goes on from {names[0]}, and process {strays[0]} from {names[1]}; "
            "all processes need the same folder of the run, on a disk that their machines share"
        )
