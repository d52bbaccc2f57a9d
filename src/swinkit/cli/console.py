"""Text for terminals and pipes: answers on stdout, errors and progress on stderr.

rich is imported where it is used, so that the commands that only list things stay quick.
"""

import errno
import os
import select
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, TypeVar

from ..errors import escaped

Item = TypeVar("Item")
INTERRUPTED = 130  # the exit code after Ctrl-C
LONG = 20  # items; a bar for fewer would be gone before it is seen


def line(text: str) -> None:
    """Print one line on stdout, flushed so that the reader of a pipe need not wait."""
    write(text, sys.stdout)


def note(text: str) -> None:
    """Print one line on stderr."""
    write(text, sys.stderr)


def complain(error: object) -> None:
    """Print one line on stderr that begins with `error:`."""
    note(f"error: {error}")


def block(text: str) -> None:
    """Print several lines on stdout."""
    for part in text.split("\n"):
        line(part)


def write(text: str, stream: TextIO) -> None:
    """Print one line, flushed, with control characters escaped."""
    print(encodable(escaped(text), stream.encoding), file=stream, flush=True)


def encodable(text: str, encoding: str | None) -> str:
    """Return text with escapes for characters that an encoding lacks, as in strange file names."""
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Return aligned lines of cells, uncut because pipes want them whole; columns `right` hold numbers."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    aligned = [
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, head, strict=True)
        )
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in aligned)


@contextmanager
def unless_hung_up() -> Iterator[None]:
    """Ignore that the terminal, or the reader of a pipe, is gone; later output is discarded."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EPIPE):
            raise
        for stream in (1, 2):
            if is_hung_up(stream):
                discard_output(stream)


def discard_output(stream: int) -> None:
    """Redirect a standard stream to the null device, so that flushing it on exit cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)


def is_hung_up(stream: int) -> bool:
    """Return whether a standard stream led to a terminal, or to the reader of a pipe, that is gone."""
    try:
        os.ttyname(stream)
    except OSError as error:
        if error.errno == errno.EIO:
            return True
    watch = select.poll()
    watch.register(stream, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


@contextmanager
def progress(items: Sequence[Item]) -> Iterator[Iterable[Item]]:
    """Give the items; a bar on stderr moves as they are taken, if they are many and stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if len(items) < LONG or not console.is_terminal:
        yield items
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeRemainingColumn())
    # Redirected, lines appear above the bar; but lines for a file or a pipe must not go to the terminal.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        yield bar.track(items)
