"""A process that talks as a candidate's does and computes nothing: `python -m tests.benchmarking.stand_in`.

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

from swinkit.benchmarking.messages import main, received, send
from swinkit.errors import EnvironmentProblem

NAN = float("nan")
SECONDS = {"timm": 0.2, "torchvision": 0.4, "swinkit": 0.1, "vit-b-16": 0.001}  # of a call, as it claims


def serve(pipe: Connection, given: dict[str, Any]) -> None:
    name = given["candidate"]
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
        request = received(pipe)
        if "compare" in request:
            send(pipe, {"difference": {"torchvision-compiled": 0.3, "swinkit-compiled": NAN}.get(name, 1e-7)})
            continue
        if name == "vit-b-16":
            time.sleep(60)
        if name == "timm-compiled":
            raise MemoryError("too large")
        with (Path(given["kept"]) / "log").open("a") as log:
            log.write(f"{name}\n")
        send(pipe, {"seconds": [SECONDS.get(name, 0.3)] * request["calls"]})


if __name__ == "__main__":
    main(sys.argv[1:], serve)
