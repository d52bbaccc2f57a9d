"""How far a training is: a bar on a terminal, a line now and then where a file or a pipe reads it."""

import sys
import time
from types import TracebackType
from typing import Self

from ..training.report import Report, clock
from .console import line, note

EVERY = 10.0  # seconds between two lines


class Meter:
    """Shows reports on stderr, and lines of text on stdout."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}"))
        # Redirected, lines appear above the bar; but lines for a file or a pipe must not go to the terminal.
        aside = sys.stdout.isatty()
        self.bar = Progress(*columns, console=console, transient=True, redirect_stdout=aside)
        self.shows = console.is_terminal
        self.last = time.monotonic()

    def __enter__(self) -> Self:
        """Draw the bar, if somebody can see it."""
        if self.shows:
            self.task = self.bar.add_task("", total=None, numbers="")
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self.shows:
            self.bar.stop()

    def show(self, said: Report | str) -> None:
        """One step, or a line of text."""
        if isinstance(said, str):
            line(said)
        elif self.shows:
            numbers = (
                f"{said.step}/{said.steps}  loss {said.loss:.4f}  lr {said.rate:.1e}  "
                f"{said.images_per_second:.0f} images/s  wait {said.waiting:.0%}  "
                f"{said.memory / 2**30:.1f} GiB  {clock(said.seconds_left)} left"
            )
            where = f"epoch {said.epoch}/{said.epochs}"
            self.bar.update(
                self.task, description=where, completed=said.step, total=said.steps, numbers=numbers
            )
        elif time.monotonic() - self.last >= EVERY:
            self.last = time.monotonic()
            note(str(said))
