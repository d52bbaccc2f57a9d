"""How much memory this process takes and could have, as Linux tells; and what to do when it is full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import EnvironmentProblem

LIMITS = {  # of a control group, and what it uses: in the second version of their interface, and in the first
    "": ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}
REFUSALS = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUSOLVER_STATUS_ALLOC_FAILED")


def peak(work: Callable[[], None]) -> int:
    """Bytes that this process has in memory at most, during `work`.

    Raises:
        EnvironmentProblem: this system does not tell.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest so far
    except OSError as error:
        raise EnvironmentProblem(
            f"run.micro_batch=auto cannot see how much memory is used on this system ({error.strerror}); "
            "give a number"
        ) from None
    work()
    return of_table(Path("/proc/self/status"), "VmHWM")


def resident() -> int:
    """Bytes that this process has in memory."""
    return of_table(Path("/proc/self/status"), "VmRSS")


def available() -> int:
    """Bytes that this process can still have: of the machine's, and within each group it is confined to."""
    return min([of_table(Path("/proc/meminfo"), "MemAvailable"), *left_in_groups()])


def of_table(table: Path, name: str) -> int:
    """One line of a table in /proc, in bytes."""
    lines = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
    return int(lines[name].split()[0]) * 1024


def left_in_groups() -> Iterator[int]:
    """Bytes that each control group around this process leaves it."""
    groups = Path("/proc/self/cgroup")
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers in LIMITS:
            root = Path("/sys/fs/cgroup") / controllers
            group = root / path.lstrip("/")
            for place in (group, *group.parents):
                limit, used = (stated(place / name) for name in LIMITS[controllers])
                if limit is not None and used is not None:
                    yield max(0, limit - used)
                if place == root:
                    break


def stated(file: Path) -> int | None:
    """What a file of a control group says; None if there is none, or no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def is_full(error: RuntimeError) -> bool:
    """Whether an accelerator's memory is full; its libraries, which take some themselves, say it so."""
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in REFUSALS)


@contextmanager
def memory_explained(device: torch.device) -> Iterator[None]:
    """A full memory in one line.

    Raises:
        EnvironmentProblem: an accelerator's memory was full inside.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        raise EnvironmentProblem(
            f"the memory of {device} is full; try run.micro_batch=auto, run.checkpointing=true or "
            "run.precision=bf16 (--allow-changes goes on with them)"
        ) from None
