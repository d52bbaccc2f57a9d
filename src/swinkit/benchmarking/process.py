"""The judge's side of a process: it is asked, rests while others are measured, and is ended. Torch-free.

A process that rests is stopped by the system (SIGSTOP), so that no thread of it spins beside another's work.
It leads a process group of its own: Ctrl-C reaches the judge alone, and should the judge die, the system
hangs the group up, as it does with stopped groups that nobody is left to continue (POSIX).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

from .messages import LONGEST, received, send

WORKER, CEILING = "swinkit.benchmarking.worker", "swinkit.benchmarking.ceiling"


class Failed(Exception):
    """Why a process has no answer, in one line; it has been ended."""


class Absent(Failed):
    """What it lacks, in one line; it has been ended."""


class Process:
    """`python -m module`, which is given a JSON object and sends its first message when it is ready."""

    def __init__(self, module: str, given: Mapping[str, Any], environment: Mapping[str, str]):
        self.pipe: Any
        self.pipe, theirs = Pipe()  # which its type says of Windows
        self.said = TemporaryFile()  # noqa: SIM115  closed by `end`
        with theirs:
            self.child = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), json.dumps(given)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self.said,
                stderr=self.said,
                env={**os.environ, **environment},
                process_group=0,
            )

    def __enter__(self) -> Self:
        """It ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()

    def ask(self, request: Mapping[str, Any], limit: float) -> dict[str, Any]:
        """Wake it; its answer within `limit` seconds.

        Raises:
            Failed: it has none.
        """
        if self.child.returncode is not None:
            raise Failed("it has ended")
        self.signal(signal.SIGCONT)
        with suppress(BrokenPipeError, ConnectionResetError):  # then there is nothing to hear either
            send(self.pipe, request)
        return self.hear(limit)

    def hear(self, limit: float) -> dict[str, Any]:
        """What it says next, within `limit` seconds; then it rests.

        Raises:
            Failed: nothing, or what went wrong.
        """
        try:
            if not self.pipe.poll(limit):
                self.end()
                raise Failed(f"no answer within {limit:.0f} s")
            answer = received(self.pipe)
        except (EOFError, ConnectionResetError):
            raise Failed(self.last_words()) from None
        for key, kind in (("absent", Absent), ("error", Failed)):
            if key in answer:
                self.end()
                raise kind(answer[key])
        self.signal(signal.SIGSTOP)
        return answer

    def last_words(self) -> str:
        """How it ended by itself, and the last that it said."""
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().decode(errors="replace").splitlines()]
        code = self.end()
        if code < 0:
            name = signal.Signals(-code).name
            return f"killed by {name}{', as when memory runs out' if name == 'SIGKILL' else ''}"
        last = next((line for line in reversed(lines) if line), "it said nothing")
        return f"ended with code {code}: {last[:LONGEST]}"

    def signal(self, number: int) -> None:
        """Send a signal to the process and to what it has started."""
        if self.child.returncode is None:  # else the number of its group may be another's by now
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def end(self) -> int:
        """It is gone afterwards, whatever it was doing; its exit code."""
        self.signal(signal.SIGKILL)
        self.pipe.close()
        self.said.close()
        return self.child.wait()


def surroundings(threads: int, kept: Path) -> dict[str, str]:
    """Environment variables: the threads of OpenMP, no network, and where compilers keep what they made."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(kept / "inductor"),
        "TRITON_CACHE_DIR": str(kept / "triton"),
    }
