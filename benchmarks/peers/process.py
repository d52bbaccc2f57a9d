"""The runner's side of a child process, which sleeps while others are measured. Torch-free.

A sleeping process is stopped by the system (SIGSTOP), so that none of its threads takes time from another.
It leads a process group of its own, so that Ctrl-C reaches the runner alone. If the runner dies, the system
hangs up the stopped group, because no process is left that could continue it (POSIX).
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

from .ipc import LONGEST, receive, send

WORKER, ROOFLINE = "benchmarks.peers.worker", "benchmarks.peers.roofline"


class ProcessFailure(Exception):
    """A process gave no answer. The message is one line; the process has ended."""


class MissingPackage(ProcessFailure):
    """Something that a process needs is not installed. The message is one line; the process has ended."""


class Process:
    """`python -m module`, which gets a JSON request and sends its first message when it is ready."""

    def __init__(self, module: str, request: Mapping[str, Any], environment: Mapping[str, str]):
        self.pipe: Any
        self.pipe, theirs = Pipe()  # its type depends on the system
        self.output = TemporaryFile()  # noqa: SIM115  closed by `end`
        with theirs:
            self.child = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), json.dumps(request)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self.output,
                stderr=self.output,
                env={**os.environ, **environment},
                process_group=0,
            )

    def __enter__(self) -> Self:
        """Return self; the process ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.end()

    def ask(self, request: Mapping[str, Any], limit: float) -> dict[str, Any]:
        """Wake the process; return its answer within `limit` seconds.

        Raises:
            Failed: there is none.
        """
        if self.child.returncode is not None:
            raise ProcessFailure("it has ended")
        self.signal(signal.SIGCONT)
        with suppress(BrokenPipeError, ConnectionResetError):  # `receive` raises the error of a dead process
            send(self.pipe, request)
        return self.receive(limit)

    def receive(self, limit: float) -> dict[str, Any]:
        """Wait up to `limit` seconds for a message, then let the process sleep.

        Raises:
            Failed: there is none, or it reports an error.
        """
        try:
            if not self.pipe.poll(limit):
                self.end()
                raise ProcessFailure(f"no answer within {limit:.0f} s")
            answer = receive(self.pipe)
        except (EOFError, ConnectionResetError):
            raise ProcessFailure(self.cause_of_death()) from None
        for key, error in (("missing", MissingPackage), ("error", ProcessFailure)):
            if key in answer:
                self.end()
                raise error(answer[key])
        self.signal(signal.SIGSTOP)
        return answer

    def cause_of_death(self) -> str:
        """Return how the process ended by itself, and its last line of output."""
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.output.seek(0)
        lines = [line.strip() for line in self.output.read().decode(errors="replace").splitlines()]
        code = self.end()
        if code < 0:
            name = signal.Signals(-code).name
            return f"killed by {name}{', as when memory runs out' if name == 'SIGKILL' else ''}"
        last = next((line for line in reversed(lines) if line), "no output")
        return f"ended with code {code}: {last[:LONGEST]}"

    def signal(self, number: int) -> None:
        """Send a signal to the process and its children."""
        if self.child.returncode is None:  # afterwards the number may belong to another process
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def end(self) -> int:
        """Kill the process; return its exit code."""
        self.signal(signal.SIGKILL)
        self.pipe.close()
        self.output.close()
        return self.child.wait()


def child_environment(threads: int, cache: Path) -> dict[str, str]:
    """Return environment variables: OpenMP's threads, no network, and the caches of compilers."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
    }
