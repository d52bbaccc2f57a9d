"""Progress of a download: a bar on a terminal, else a line for each quarter. Torch-free.

rich is imported where it is used, so that the tables of checkpoints stay quick to read.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .download import Watch, format_megabytes

SHARES = (25, 50, 75, 100)  # percent at which a line is written where there is no terminal


@contextmanager
def progress_bar(title: str) -> Iterator[Watch]:
    """Yield a function that takes the bytes so far and in total, and shows them on stderr."""
    if not sys.stderr.isatty():
        yield write_lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, start=False)

        def watch(have: int, total: int | None) -> None:
            bar.start_task(task)
            bar.update(task, completed=have, total=total)

        yield watch


def write_lines(title: str) -> Watch:
    """Return the same function for pipes and files: it writes the size, then a line for each quarter."""
    written: list[int] = []

    def watch(have: int, total: int | None) -> None:
        if total is None:
            share, text = 0, f"{title}, of unknown size"
        else:
            share = max((part for part in SHARES if 100 * have >= part * total), default=0)
            text = f"{title}: {share} % of {format_megabytes(total)}"
        if not written or share > written[-1]:
            written.append(share)
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    return watch
