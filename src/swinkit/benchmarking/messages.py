"""How the judge and its processes talk: one JSON object a message, over a pipe. Torch-free."""

import json
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..errors import EnvironmentProblem, SwinkitError

LONGEST = 300  # characters of what went wrong
Serve = Callable[[Connection, dict[str, Any]], None]


def send(pipe: Connection, message: Mapping[str, Any]) -> None:
    """One message."""
    pipe.send_bytes(json.dumps(message).encode())


def received(pipe: Connection) -> dict[str, Any]:
    """The next message.

    Raises:
        EOFError: the other side is gone.
    """
    return json.loads(pipe.recv_bytes())


def main(arguments: Sequence[str], serve: Serve) -> None:
    """A process: `arguments` are the number of its pipe and what it is given.

    What goes wrong is sent as {"error": one line}, and as {"absent": one line} where something is lacking.
    """
    first_to_go()
    pipe = Connection(int(arguments[0]))
    try:
        serve(pipe, json.loads(arguments[1]))
    except (EOFError, BrokenPipeError):  # the judge has seen enough
        return
    except EnvironmentProblem as error:
        send(pipe, {"absent": str(error)})
    except Exception as error:  # noqa: BLE001  whatever a library does, the others are measured
        send(pipe, {"error": one_line(error)})


def one_line(error: Exception) -> str:
    """What went wrong; our own errors need no name before them."""
    text = " ".join(str(error).split())[:LONGEST]
    return text if isinstance(error, SwinkitError) else f"{type(error).__name__}: {text}"


def first_to_go() -> None:
    """If memory runs out, Linux ends this process rather than another."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:  # another system, which chooses by itself
        return
