"""Launch settings of each kernel: warps, loads ahead, programs.

They are fixed numbers, not Triton's autotuner, so that two processes, and a training and its continuation,
add up in the same order. `python -m benchmarks.gpu_attention --tune` measures others.
"""

from dataclasses import dataclass

import torch

LONGEST_STRIP = 64  # a program holds one or two tables of strip x strip scores in registers


@dataclass(frozen=True)
class Tuning:
    """The launch settings of one kernel."""

    warps: int
    ahead: int  # for how many windows or strips data are on their way: Triton's stages
    programs: int  # for each multiprocessor, of all heads and strips together


HALF = {
    "attend_windows": Tuning(4, 2, 8),
    "differentiate_window": Tuning(4, 1, 6),
    "differentiate_queries": Tuning(4, 2, 8),
    "differentiate_keys": Tuning(4, 1, 8),
    "differentiate_bias": Tuning(4, 1, 4),
}
SINGLE = {name: Tuning(8, 1, half.programs) for name, half in HALF.items()}  # more numbers in registers


def tuning(kernel: str, dtype: torch.dtype) -> Tuning:
    """Return the settings of a kernel for the type of numbers that it multiplies."""
    return (SINGLE if dtype == torch.float32 else HALF)[kernel]
