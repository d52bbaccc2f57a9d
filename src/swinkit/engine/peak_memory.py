"""Peak memory of a piece of work, in bytes above the memory that the process held before.

On a CPU the resident size counts, on a GPU what torch has allocated. While it is measured, the C library
returns large blocks to the system at once. Otherwise it keeps them as holes that the next ones may not fit:
after two training steps a third of the resident size would be unused.
"""

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux's
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's numbers of two parameters of its allocator
SMALL = 2**20  # bytes from which a block is mapped alone while memory is measured
DEFAULT = 2**25  # the same afterwards: glibc's own maximum
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of a unit of `ru_maxrss`


class PeakMemory:
    """A measurement from its construction to `stop()`."""

    def __init__(self, device: str):
        self.device = device
        gc.collect()
        if device != "cpu":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
            return
        set_mmap_threshold(SMALL)
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim is not None:  # otherwise the workload would reuse free memory that is resident already
            trim(0)
        with suppress(OSError):
            reset_peak()
        self.before = resident_size("VmRSS")

    def stop(self) -> int:
        """Return the peak in bytes above the memory held at the start."""
        if self.device != "cpu":
            torch.cuda.synchronize()
            return torch.cuda.max_memory_allocated() - self.before
        peak = resident_size("VmHWM")
        set_mmap_threshold(DEFAULT)
        return max(0, peak - self.before)


def set_mmap_threshold(size: int) -> None:
    """Let glibc map larger blocks alone, so that they return to the system when they are freed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, size)
        mallopt(M_TRIM_THRESHOLD, 2 * size)


def reset_peak() -> None:
    """Reset the peak to the current size.

    Raises:
        OSError: the system cannot; an earlier peak remains.
    """
    CLEAR_REFS.write_text("5", encoding="ascii")


def resident_size(entry: str) -> int:
    """Return the resident size: `VmRSS` now, `VmHWM` at its peak; the peak for both outside Linux."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{entry}:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
