"""Samplers: which samples an epoch has, in what order; a `Loader` cuts the order into micro-batches.

Shapes: N samples, L entries of an epoch.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .rng import draws, generator


class Sampler(Protocol):
    """Order of the samples of each epoch; the same in every process."""

    def length(self, micro_batch: int) -> int:
        """Return L, which is the same for every epoch."""
        ...

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:
        """Return the indices of one epoch, (L,), of which every `micro_batch` make a micro-batch."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """Each of `count` samples once, in a random order."""

    count: int

    def length(self, micro_batch: int) -> int:  # noqa: ARG002
        """Return N."""
        return self.count

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:  # noqa: ARG002
        """Return a permutation that follows from (seed, epoch) alone: (N,) int32."""
        return torch.randperm(self.count, generator=generator(draws(seed, epoch, "order")), dtype=torch.int32)
