"""From tensors to kernels: what they are compiled for, and how many programs share the work out.

Shapes: B batch, *S grid size, H heads, D channels per head, C = H * D, G programs that share the windows.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .kernel_config import AXES, Plan, power_of_two
from .tuning import LONGEST_STRIP, tuning


@dataclass(frozen=True, eq=False)
class Launch:
    """Kernels over the windows of one batch of grids."""

    sources: tuple[Tensor, ...]  # qkv, padding, bias, temperature
    grid: tuple[int, ...]
    scale: float
    plan: Plan

    @classmethod
    def of(
        cls,
        sources: tuple[Tensor, Tensor, Tensor, Tensor | None],
        scale: float,
        window: Sequence[int],
        shift: Sequence[int],
        roll_first: bool,
    ) -> "Launch":
        """As the operator is called; of the sources the temperature may be missing."""
        qkv, padding, bias, temperature = sources
        heads = bias.shape[0]
        grid, window = along_three(qkv.shape[1:-1], 1), along_three(window, 1)
        plan = Plan(
            window=window,
            shift=along_three(shift, 0),
            heads=heads,
            width=qkv.shape[-1] // (3 * heads),
            strip=min(LONGEST_STRIP, power_of_two(math.prod(window))),
            cosine=temperature is not None,
            padded=any(g % w for g, w in zip(grid, window, strict=True)),
            roll_first=roll_first,
        )
        given = (qkv, padding, bias, bias if temperature is None else temperature)
        return cls(tuple(x.contiguous() for x in given), grid, scale, plan)

    @property
    def windows(self) -> int:
        """In all grids together."""
        counts = (-(-g // w) for g, w in zip(self.grid, self.plan.window, strict=True))
        return self.sources[0].shape[0] * math.prod(counts)

    def programs(self, kernel: str, parts: int) -> int:
        """G: how many programs share out the windows, for each head and each of the `parts` of a window."""
        device, dtype = self.sources[0].device, self.sources[0].dtype
        wanted = tuning(kernel, dtype).programs * multiprocessors(device)
        return max(1, min(self.windows, wanted // (self.plan.heads * parts)))

    def run(self, kernel: Any, parts: int, *others: Tensor) -> None:
        """Launch a kernel, a function of the sources, other tensors, and the geometry."""
        source = self.sources[0]
        chosen = tuning(kernel.__name__, source.dtype)
        with on(source.device):
            kernel[(self.plan.heads * parts, self.programs(kernel.__name__, parts))](
                *self.sources,
                *others,
                self.windows,
                self.grid,
                self.scale,
                plan=self.plan,
                num_warps=chosen.warps,
                num_stages=chosen.ahead,
                enable_fp_fusion=True,
            )

    def sums(self, padding: int, bias: int, temperature: int) -> tuple[Tensor, Tensor, Tensor]:
        """(P, 2, H, D), (G, H, N, N), (P, H): what each of so many programs has gathered; not filled yet.

        What no program gathers, because nothing is padded or compared by cosine, is zero.
        """
        plan, source = self.plan, self.sources[0]
        new = partial(torch.empty, dtype=torch.float32, device=source.device)
        new_zeros = partial(torch.zeros, dtype=torch.float32, device=source.device)
        return (
            new(padding, 2, plan.heads, plan.width)
            if plan.padded
            else new_zeros(1, 2, plan.heads, plan.width),
            new(bias, plan.heads, plan.tokens, plan.tokens),
            new(temperature, plan.heads) if plan.cosine else new_zeros(1, plan.heads),
        )


def along_three(size: Sequence[int], filling: int) -> tuple[int, ...]:
    """The same along three axes, the first of them `filling` where there are fewer."""
    return (filling,) * (AXES - len(size)) + tuple(size)


def multiprocessors(device: torch.device) -> int:
    """Of a GPU; 1 for the interpreter."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


def on(device: torch.device) -> AbstractContextManager[object]:
    """Triton launches on the current GPU: make it that of the tensors."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
