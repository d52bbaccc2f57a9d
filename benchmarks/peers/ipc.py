"""Messages between the runner and its processes: one JSON object each, over a pipe. Torch-free."""

import json
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from swinkit.errors import EnvironmentProblem, SwinkitError

LONGEST = 300  # characters of an error
Serve = Callable[[Connection, dict[str, Any]], None]


def send(pipe: Connection, message: Mapping[str, Any]) -> None:
    """Send a message."""
    pipe.send_bytes(json.dumps(message).encode())


def receive(pipe: Connection) -> dict[str, Any]:
    """Wait for the next message.

    Raises:
        EOFError: the other side is gone.
    """
    return json.loads(pipe.recv_bytes())


def serve_pipe(arguments: Sequence[str], serve: Serve) -> None:
    """Run a child process; `arguments` are the number of its pipe and its request.

    An error is sent as {"error": one line}, or as {"missing": one line} if something is not installed.
    """
    prefer_as_oom_victim()
    pipe = Connection(int(arguments[0]))
    try:
        serve(pipe, json.loads(arguments[1]))
    except (EOFError, BrokenPipeError):  # the runner has closed the pipe
        return
    except EnvironmentProblem as error:
        send(pipe, {"missing": str(error)})
    except Exception as error:  # noqa: BLE001  whatever a library raises, the others must be measured
        send(pipe, {"error": one_line(error)})


def one_line(error: Exception) -> str:
    """Return an error in one line; the errors of swinkit without the name of their class."""
    text = " ".join(str(error).split())[:LONGEST]
    return text if isinstance(error, SwinkitError) else f"{type(error).__name__}: {text}"


def prefer_as_oom_victim() -> None:
    """Let Linux kill this process before any other when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:  # another system
        return
