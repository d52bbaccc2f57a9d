"""How each kernel is launched: warps, loads ahead, programs.

Fixed numbers rather than Triton's autotuner, so that two processes, and a training and its continuation, add
up in the same order. `python -m benchmarks.gpu_attention --tune` measures others.
"""

from dataclasses import dataclass

import torch

LONGEST_STRIP = 64  # a program holds one or two tables of strip x strip scores in registers


@dataclass(frozen=True)
class Tuning:
    """For one kernel."""

    warps: int
    ahead: int  # for how many windows or strips data are on their way: Triton's stages
    programs: int  # for each multiprocessor, of all heads and strips together


HALF = {
    "attend": Tuning(4, 2, 8),
    "whole": Tuning(4, 1, 6),
    "queries": Tuning(4, 2, 8),
    "keys": Tuning(4, 1, 8),
    "biases": Tuning(4, 1, 4),
}
SINGLE = {name: Tuning(8, 1, half.programs) for name, half in HALF.items()}  # more numbers in registers


def tuning(kernel: str, dtype: torch.dtype) -> Tuning:
    """Of a kernel for the numbers that it multiplies."""
    return (SINGLE if dtype == torch.float32 else HALF)[kernel]
