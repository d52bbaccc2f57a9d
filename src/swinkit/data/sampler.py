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
        """Return the number of samples, N."""
        ...

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:
        """Return the entries of one epoch, (L,) integers, of which every `micro_batch` make a micro-batch.

        Entry `r * N + i` is sample i for the (r + 1)th time in this epoch: it is read anew, and augmented
        otherwise.
        """
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


@dataclass(frozen=True)
class GroupedByAspectRatio:
    """Micro-batches of either wide or high images, so that little is padded; in a random order.

    `sizes` (N, 2) are height and width. Of each of the two groups, samples too few to fill a micro-batch are
    left out of an epoch, other ones in each.
    """

    sizes: Tensor

    def length(self, micro_batch: int) -> int:
        """Return the samples in full micro-batches."""
        wide = int(self.wide.sum())
        return sum(count // micro_batch * micro_batch for count in (wide, len(self.sizes) - wide))

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:
        """Return the entries of one epoch: (L,) int32. Micro-batches come in the order in which they fill."""
        shuffled = Shuffled(len(self.sizes)).order(seed, epoch, micro_batch)
        wide = self.wide[shuffled]
        groups = [chosen.nonzero()[:, 0] for chosen in (wide, ~wide)]
        full = [places[: len(places) // micro_batch * micro_batch].view(-1, micro_batch) for places in groups]
        batches = torch.cat(full)
        return shuffled[batches[batches[:, -1].argsort()].flatten()]

    @property
    def wide(self) -> Tensor:
        """(N,) whether an image is wider than high."""
        return self.sizes[:, 1] > self.sizes[:, 0]


@dataclass(frozen=True)
class Repeated:
    """Every sample `times` times in a row, each time augmented otherwise (Hoffer et al. 2020).

    An epoch stays about as long as that of `sampler`, which must not repeat samples itself, and has fewer
    different samples. `count` is N.
    """

    sampler: Sampler
    count: int
    times: int

    def length(self, micro_batch: int) -> int:
        """Return the largest multiple of `times` that is not above the length of `sampler`."""
        return self.sampler.length(micro_batch) // self.times * self.times

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:
        """Return the entries of one epoch: (L,) int64."""
        chosen = self.sampler.order(seed, epoch, micro_batch)[: self.length(micro_batch) // self.times]
        repeats = torch.arange(self.times) * self.count
        return (chosen.long()[:, None] + repeats).flatten()


@dataclass(frozen=True)
class ClassBalanced:
    """Every class equally often, in a random order; samples of small classes come several times.

    `labels` (N,) are the classes of the samples. An epoch has about N entries. Of a class, all samples come
    once before one comes again.
    """

    labels: Tensor

    def length(self, micro_batch: int) -> int:  # noqa: ARG002
        """Return the number of classes that have samples times the entries of each."""
        classes = len(self.labels.unique())
        return len(self.labels) // classes * classes

    def order(self, seed: int, epoch: int, micro_batch: int) -> Tensor:  # noqa: ARG002
        """Return the entries of one epoch: (L,) int64."""
        numbers, counts = generator(draws(seed, epoch, "balance")), self.labels.unique(return_counts=True)[1]
        members = self.labels.argsort(stable=True).split(counts.tolist())
        each, found = len(self.labels) // len(counts), []
        for own in members:
            times = -(-each // len(own))
            orders = torch.rand(times, len(own), generator=numbers).argsort(1)  # a permutation a time
            repeats = torch.arange(times)[:, None] * len(self.labels)
            found.append((own[orders] + repeats).flatten()[:each])
        entries = torch.cat(found)
        return entries[torch.randperm(len(entries), generator=numbers)]
