"""How much memory a piece of work needs: the most that the process held, above what it held before. Bytes.

Of the processor's memory, what is resident; of a GPU's, what torch has allocated. While a watch lasts, the
processor's allocator gives large pieces back at once. Else it keeps them, in holes into which the next ones
may not fit: after two steps of training, a third of what is resident then is needed by nobody.
"""

import ctypes
import gc
import resource
import sys
from pathlib import Path

STATUS, MARK = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux's
TRIM, MAP = (
    -1,
    -3,
)  # glibc's numbers of two thresholds: what is free at the end of the heap; a piece by itself
APART, KEPT = 2**20, 2**25  # bytes of a piece that lies by itself: while watching; glibc's own most
UNIT = 1 if sys.platform == "darwin" else 1024  # of the maximum that a process is told of itself


class HighWater:
    """Begins to watch when it is made; `reached()` tells the most since then."""

    def __init__(self, device: str):
        self.device = device
        gc.collect()
        if device != "cpu":
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
            return
        map_from(APART)
        give_back()
        forget_peak()
        self.before = resident("VmRSS")

    def reached(self) -> int:
        """Bytes above what there was at first; the watch ends."""
        if self.device != "cpu":
            import torch

            torch.cuda.synchronize()
            return torch.cuda.max_memory_allocated() - self.before
        most = resident("VmHWM")
        map_from(KEPT)
        return max(0, most - self.before)


def map_from(size: int) -> None:
    """Larger pieces lie by themselves, and go back to the system when they are free."""
    choose = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
    if choose is not None:
        choose(MAP, size)
        choose(TRIM, 2 * size)


def give_back() -> None:
    """Let the allocator return what is free, else work would find room that was there before it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def forget_peak() -> None:
    """The peak is from now on that of now, where the system knows how."""
    try:
        MARK.write_text("5", encoding="ascii")
    except OSError:  # then an earlier peak hides a lower one
        return


def resident(entry: str) -> int:
    """Of this process: `VmRSS` now, `VmHWM` at the most; where no list tells, for both the most."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{entry}:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
