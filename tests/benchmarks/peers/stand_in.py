"""A stand-in for a candidate's process that computes nothing: `python -m tests.benchmarks.peers.stand_in`.

The name of its candidate says how it behaves. One that is measured leaves its name in the file `log`, in the
folder where others keep things.
"""

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.peers.ipc import receive, send, serve_pipe
from swinkit.errors import EnvironmentProblem

NAN = float("nan")
SECONDS = {"timm": 0.2, "torchvision": 0.4, "swinkit": 0.1, "vit-b-16": 0.001}  # of a call, as it claims


def serve(pipe: Connection, request: dict[str, Any]) -> None:
    name = request["candidate"]
    if name == "swinkit-engine":
        raise EnvironmentProblem("not built")
    if name == "transformers":
        raise ValueError("no such\nmodel")
    if name == "onnxruntime":
        print("first line\nlast line\n", flush=True)
        os._exit(7)
    if name == "openvino":
        os.kill(os.getpid(), signal.SIGKILL)
    send(pipe, {"memory": 10**6, "seconds": SECONDS.get(name, 0.3)})
    while True:
        question = receive(pipe)
        if "verify" in question:
            send(pipe, {"difference": {"torchvision-compiled": 0.3, "swinkit-compiled": NAN}.get(name, 1e-7)})
            continue
        if name == "vit-b-16":
            time.sleep(60)
        if name == "timm-compiled":
            raise MemoryError("too large")
        with (Path(request["cache"]) / "log").open("a") as log:
            log.write(f"{name}\n")
        send(pipe, {"seconds": [SECONDS.get(name, 0.3)] * question["calls"]})


if __name__ == "__main__":
    serve_pipe(sys.argv[1:], serve)
