"""Loading files in a process of its own, with bounds on memory and time."""

import json
import resource
import subprocess
import sys
from pathlib import Path

MEMORY = 2**31  # bytes of address space beyond what importing takes
SECONDS = 100  # most of them for importing torch on a busy machine

LOAD = """
import json, resource, sys, time
import swinkit.api
import swinkit.tasks.from_checkpoint  # what loading a file imports when it is first needed
import swinkit.weights.rank_files
from swinkit.errors import SwinkitError
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
said = {}
for path in sys.argv[2:]:
    start = time.process_time()
    try:
        swinkit.load(path)
    except SwinkitError as error:
        said[path] = str(error)
    assert time.process_time() - start < 5, path
print(json.dumps(said))
"""


def refusals(*paths: Path) -> list[str]:
    """Return the one clear error with which `swinkit.load` refuses each, in bounded memory and time."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(MEMORY), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    said = json.loads(done.stdout)
    assert list(said) == [str(path) for path in paths], "all are refused"
    return list(said.values())
