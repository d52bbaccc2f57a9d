"""The command line in processes of their own, to be stopped."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from .processes import context


def run_command(words: Sequence[str], output: str, user: int | None) -> None:
    """`swinkit WORDS`, which says all that it says to the file `output`."""
    import rich.live  # noqa: F401  before `user`, who may not read this Python's own library

    from swinkit.cli.main import main

    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)
    if user is not None:
        os.setuid(user)
    sys.exit(main(words))


def commanded(words: Sequence[object], output: Path, user: int | None = None) -> ForkServerProcess:
    """`swinkit WORDS` as a process, of another user if one is given."""
    process = context.Process(target=run_command, args=([str(word) for word in words], str(output), user))
    process.start()
    return process
