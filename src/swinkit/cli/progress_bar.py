"""The progress of a training: a bar on a terminal, a line now and then in a file or a pipe."""

import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..runs.step_report import Report, clock
from .console import line, note, unless_hung_up

if TYPE_CHECKING:
    from rich.text import Text

EVERY = 10.0  # seconds between two lines
BAR = (8, 40)  # characters of the bar, at least and at most
HERE, TO_COME = "━", "─"
ASCII = {HERE: "=", TO_COME: "-"}  # for terminals that have no others


class Meter:
    """A progress bar on stderr, with lines of text on stdout above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self.latest: Report | None = None
        self.console = Console(stderr=True)
        # Redirected, lines appear above the bar; but lines for a file or a pipe must not go to the terminal.
        self.live = Live(
            get_renderable=self.drawn,
            console=self.console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        self.shows = self.console.is_terminal
        self.last = time.monotonic()

    def __enter__(self) -> Self:
        """Draw the bar, if stderr is a terminal."""
        if self.shows:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        with unless_hung_up():
            if self.shows:
                self.live.stop()

    def show(self, said: Report | str) -> None:
        """Show the report of a step, or a line of text."""
        with unless_hung_up():
            if isinstance(said, str):
                line(said)
            elif self.shows:
                self.latest = said
            elif time.monotonic() - self.last >= EVERY:
                self.last = time.monotonic()
                note(str(said))

    def drawn(self) -> "Text":
        """Return the bar as one line, however narrow the terminal is."""
        from rich.text import Text

        if self.latest is None:
            return Text("on the way to the first step", "dim")
        # In the last column, some terminals would already begin the next line.
        before, done, to_come, after = pieces(self.latest, self.console.width - 1)
        if self.console.options.ascii_only:
            done, to_come = (part.translate(str.maketrans(ASCII)) for part in (done, to_come))
        parts = (before, (done, "bright_yellow"), (to_come, "dim"), after)
        return Text.assemble(*parts, no_wrap=True, overflow="crop")


def pieces(said: Report, width: int) -> tuple[str, str, str, str]:
    """Return the text before the bar, its two parts, and the text behind: `width` characters, if they fit."""
    ways = list(wordings(said))
    fitting = (way for way in ways if len("".join(way)) + BAR[0] <= width)
    before, after = next(fitting, ways[-1])
    whole = max(0, min(width - len(before) - len(after), BAR[1]))
    done = round(whole * said.step / said.steps)
    return before, HERE * done, TO_COME * (whole - done), after


def wordings(said: Report) -> Iterator[tuple[str, str]]:
    """Yield texts before and behind the bar, from the most detailed to the shortest."""
    where, steps, left = (
        f"{said.epoch}/{said.epochs} ",
        f" {said.step}/{said.steps}",
        clock(said.seconds_left),
    )
    if said.step == said.steps:
        yield f"epoch {where}", f"{steps}  measuring what was learned  {left} left"
        yield where, steps
    speed, rate = f"{said.images_per_second:.0f}", f"{said.rate:.1e}"
    memory, waiting = f"{said.memory / 2**30:.1f}", f"{said.waiting:.0%}"
    numbers = f"loss {said.loss:.4f}  lr {rate}  {speed} images/s  data wait {waiting}  {memory} GiB"
    yield f"epoch {where}", f"{steps}  {numbers}  {left} left"
    short = [f"loss {said.loss:.4f}", left, f"{speed}/s", f"wait {waiting}", f"lr {rate}", f"{memory}G"]
    for count in range(len(short), -1, -1):  # those that matter most come first
        yield where, " ".join([steps, *short[:count]])
