"""Compilation of the C++ in `cpp/` to a library for this machine, in swinkit's cache.

The file's name holds everything that the library depends on: swinkit's version, a hash of the sources and
flags, and the instruction set. It is compiled in a folder aside and then moved to its name, so that two
processes, or one that is killed, never leave half a file. (`torch.utils.cpp_extension.load` would need ninja
and torch's headers, wait for ever for the lock of a killed process, and compile for a minute.)
"""

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ...data.paths import cache_root
from ...errors import EnvironmentProblem
from ...files.atomic import replace_file
from ...version import __version__
from .library import NativeLibrary

logger = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "cpp"
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fno-math-errno", "-ffp-contract=fast")
AVX2 = ("-mavx2", "-mfma")
INSTRUCTION_SETS = {
    "avx512": (*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
    "avx2": AVX2,
    "neon": (),  # every 64-bit ARM has it
}
COMPILERS = ("c++", "g++", "clang++")
TIMEOUT = 300  # seconds that a compiler may take

# The libraries of this process. Each is loaded once, even if its file is removed meanwhile.
LOADED: dict[Path, NativeLibrary | None] = {}


def instruction_set() -> str | None:
    """Return the widest instruction set that this CPU and the engine share; None if there is none."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return "neon"
    name = torch.backends.cpu.get_cpu_capability().lower()
    return name if name in INSTRUCTION_SETS else None


@cache
def hash_sources(instructions: str) -> str:
    """Return a hash of the sources and flags."""
    made_from = hashlib.sha256(" ".join((*FLAGS, *INSTRUCTION_SETS[instructions])).encode())
    for path in sorted(SOURCES.iterdir()):
        made_from.update(path.name.encode() + path.read_bytes())
    return made_from.hexdigest()[:16]


def library_path(instructions: str) -> Path:
    """Return the path of the library for an instruction set, built or not."""
    return cache_root() / "engine" / f"swinkit-{__version__}-{hash_sources(instructions)}-{instructions}.so"


def find_library() -> NativeLibrary | None:
    """Return the engine if it is built for this machine; compile nothing."""
    instructions = instruction_set()
    return None if instructions is None else load_library(library_path(instructions))


def load_library(path: Path) -> NativeLibrary | None:
    """Load a library; None if it is not built, or cannot be loaded, which is logged."""
    if path not in LOADED:
        try:
            if not path.is_file():
                return None
            LOADED[path] = NativeLibrary(path)
        except (OSError, AttributeError) as error:
            logger.warning("the engine cannot be loaded, so models run as they are: %s", error)
            LOADED[path] = None
    return LOADED[path]


def build_engine() -> NativeLibrary:
    """Return the engine for this machine, and compile it if it is not built.

    Raises:
        EnvironmentProblem: the CPU has no instruction set that the engine supports, there is no compiler, it
            fails, the cache cannot be written, or the library cannot be loaded.
    """
    instructions = instruction_set()
    if instructions is None:
        raise EnvironmentProblem(
            "the engine needs a CPU with AVX2, AVX-512 or NEON; without it, models run as they are"
        )
    path = library_path(instructions)
    if load_library(path) is None:
        compile_sources(path, INSTRUCTION_SETS[instructions], compiler())
        LOADED.pop(path, None)
    library = load_library(path)
    if library is None:
        raise EnvironmentProblem(f"the engine was built, but {path} cannot be loaded; models run as they are")
    return library


def compiler() -> str:
    """Return the command of a C++ compiler: `$CXX`, or the first that is installed.

    Raises:
        EnvironmentProblem: there is none.
    """
    for name in (os.environ.get("CXX"), *COMPILERS):
        if name and (path := shutil.which(name)):
            return path
    raise EnvironmentProblem(
        "no C++ compiler is installed, so the engine cannot be built: `apt install g++` (macOS: "
        "`xcode-select --install`), or name one in $CXX; without it, models run as they are"
    )


def compile_sources(path: Path, flags: tuple[str, ...], command: str) -> None:
    """Compile the sources to `path`, whole or not at all.

    Raises:
        EnvironmentProblem: the compiler fails, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("building-*"):  # of processes that were killed
            if time.time() - old.stat().st_mtime > 2 * TIMEOUT:
                shutil.rmtree(old, ignore_errors=True)
        with TemporaryDirectory(prefix="building-", dir=path.parent) as folder:
            new = Path(folder) / path.name
            words = [command, *FLAGS, *flags, "-o", str(new), str(SOURCES / "engine.cpp")]
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            if done.returncode != 0:
                lines = done.stderr.splitlines()
                said = next((line for line in lines if "error" in line), f"exit code {done.returncode}")
                raise EnvironmentProblem(f"{command} cannot compile the engine: {said[:300]}")
            replace_file(new, path)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentProblem(f"the engine cannot be built in {path.parent}: {error}") from None
