"""Launches of kernels on tensors: their constants, and the number of programs.

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

from .kernel_config import AXES, KernelConfig, power_of_two
from .tuning import LONGEST_STRIP, tuning


@dataclass(frozen=True, eq=False)
class Launch:
    """A launch of kernels over the windows of one batch of grids."""

    sources: tuple[Tensor, ...]  # qkv, padding, bias, temperature
    grid: tuple[int, ...]
    scale: float
    config: KernelConfig

    @classmethod
    def of(
        cls,
        sources: tuple[Tensor, Tensor, Tensor, Tensor | None],
        scale: float,
        window: Sequence[int],
        shift: Sequence[int],
        roll_first: bool,
    ) -> "Launch":
        """Prepare a launch from the operator's arguments; the temperature may be None."""
        qkv, padding, bias, temperature = sources
        heads = bias.shape[0]
        grid, window = to_three_axes(qkv.shape[1:-1], 1), to_three_axes(window, 1)
        config = KernelConfig(
            window=window,
            shift=to_three_axes(shift, 0),
            heads=heads,
            width=qkv.shape[-1] // (3 * heads),
            strip=min(LONGEST_STRIP, power_of_two(math.prod(window))),
            cosine=temperature is not None,
            padded=any(g % w for g, w in zip(grid, window, strict=True)),
            roll_first=roll_first,
        )
        given = (qkv, padding, bias, bias if temperature is None else temperature)
        return cls(tuple(x.contiguous() for x in given), grid, scale, config)

    @property
    def windows(self) -> int:
        """The windows of all grids together."""
        counts = (-(-g // w) for g, w in zip(self.grid, self.config.window, strict=True))
        return self.sources[0].shape[0] * math.prod(counts)

    def programs(self, kernel: str, parts: int) -> int:
        """Return G, the number of programs that share the windows, per head and part of a window."""
        device, dtype = self.sources[0].device, self.sources[0].dtype
        wanted = tuning(kernel, dtype).programs * multiprocessors(device)
        return max(1, min(self.windows, wanted // (self.config.heads * parts)))

    def run(self, kernel: Any, parts: int, *others: Tensor) -> None:
        """Launch a kernel on the sources, other tensors, and the geometry."""
        source = self.sources[0]
        chosen = tuning(kernel.__name__, source.dtype)
        with use_device(source.device):
            kernel[(self.config.heads * parts, self.programs(kernel.__name__, parts))](
                *self.sources,
                *others,
                self.windows,
                self.grid,
                self.scale,
                config=self.config,
                num_warps=chosen.warps,
                num_stages=chosen.ahead,
                enable_fp_fusion=True,
            )

    def sums(self, padding: int, bias: int, temperature: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return tensors for the sums of programs: (P, 2, H, D), (G, H, N, N), (P, H); not filled yet.

        Sums that no program computes, because nothing is padded or compared by cosine, are zero.
        """
        config, source = self.config, self.sources[0]
        new = partial(torch.empty, dtype=torch.float32, device=source.device)
        new_zeros = partial(torch.zeros, dtype=torch.float32, device=source.device)
        return (
            new(padding, 2, config.heads, config.width)
            if config.padded
            else new_zeros(1, 2, config.heads, config.width),
            new(bias, config.heads, config.tokens, config.tokens),
            new(temperature, config.heads) if config.cosine else new_zeros(1, config.heads),
        )


def to_three_axes(size: Sequence[int], filling: int) -> tuple[int, ...]:
    """Return a size along three axes, `filling` along those that it lacks in front."""
    return (filling,) * (AXES - len(size)) + tuple(size)


def multiprocessors(device: torch.device) -> int:
    """Return the number of multiprocessors of a GPU; 1 for the interpreter."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


def use_device(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which the tensors' GPU is the current one, on which Triton launches."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
