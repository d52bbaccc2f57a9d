"""What commands share in talking to a terminal: answers on stdout; errors and progress on stderr.

rich is imported where it is used, so that the commands that only list things stay quick.
"""

import errno
import os
import select
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
INTERRUPTED = 130  # the exit code after Ctrl-C
LONG = 20  # pictures; below it a bar would be gone before it is seen


def line(text: str) -> None:
    """One line on stdout, at once, so that a reader of the pipe need not wait."""
    print(printable(text, sys.stdout.encoding), flush=True)


def note(text: str) -> None:
    """One line on stderr."""
    print(printable(text, sys.stderr.encoding), file=sys.stderr, flush=True)


def complain(error: object) -> None:
    """One line on stderr that begins with `error:`."""
    note(f"error: {error}")


def block(text: str) -> None:
    """Several lines on stdout."""
    for part in text.split("\n"):
        line(part)


@contextmanager
def unless_hung_up() -> Iterator[None]:
    """If the terminal or the reader of a pipe is gone, what is said here, and from then on, goes nowhere."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EPIPE):
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for standard in (1, 2):
            if hung_up(standard):
                os.dup2(nowhere, standard)
        os.close(nowhere)


def hung_up(stream: int) -> bool:
    """Whether a standard stream led to a terminal, or to the reader of a pipe, that is gone."""
    try:
        os.ttyname(stream)
    except OSError as error:
        if error.errno == errno.EIO:
            return True
    watch = select.poll()
    watch.register(stream, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def printable(text: str, encoding: str | None) -> str:
    r"""Control characters as escapes (`\x1b`), since names of files and classes may come from strangers.

    So also what the terminal's encoding cannot show, such as bytes in a file's name that are not text.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


@contextmanager
def progress(items: Sequence[Item]) -> Iterator[Iterable[Item]]:
    """The items again; a bar on stderr moves as they are taken, if they are many and stderr is a terminal."""
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
