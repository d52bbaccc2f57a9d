"""From samples to batches: which, in what order, on which process; the same for any number of workers.

Shapes: N samples, M micro-batches of an epoch.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import DataError, require
from .corrupt import Bad, BadPictures, Tolerant
from .image_cache import HELD_OUT_BYTES, TRAINING_BYTES, Kept
from .prefetch import Ahead
from .rng import draws, generator
from .samples import Readable, Samples

MAX_BAD_FRACTION = 0.001

Batch = TypeVar("Batch")
BatchOut = TypeVar("BatchOut", covariant=True)


class Prepare(Protocol[BatchOut]):
    """A task's collation. What is random in it follows from its own seed, the epoch and the samples' ids."""

    def __call__(self, samples: Readable, indices: Sequence[int], epoch: int) -> BatchOut:
        """One batch of these samples."""
        ...


class Loader(Generic[Batch]):
    """The micro-batches of a training.

    Raises:
        DataError: on making it, there are fewer samples than one micro-batch.
    """

    def __init__(
        self,
        samples: Samples,
        prepare: Prepare[Batch],
        *,
        micro_batch: int,
        seed: int,
        workers: int = 0,
        max_bad_fraction: float = MAX_BAD_FRACTION,
    ):
        require(micro_batch >= 1, "micro_batch", micro_batch, "1 or more")
        require(workers >= 0, "data.workers", workers, "0 or more")
        require(0 <= max_bad_fraction <= 1, "data.max_bad_fraction", max_bad_fraction, "in [0, 1]")
        if len(samples) < micro_batch:
            raise DataError(
                f"{samples.root}: {len(samples)} pictures in {samples.split} are fewer than one batch "
                f"of {micro_batch}; add pictures, or choose a smaller batch"
            )
        self.samples, self.seed, self.size = samples, seed, micro_batch
        self.bad = BadPictures(len(samples), max_bad_fraction)
        kept = Kept(samples, TRAINING_BYTES, workers)
        self.ahead = Ahead(Making(kept, prepare, seed), workers)

    def __len__(self) -> int:
        """M: full micro-batches only."""
        return len(self.samples) // self.size

    def indices(self, epoch: int, number: int) -> list[int]:
        """Which samples one micro-batch of an epoch is made of."""
        return cut(order(len(self.samples), self.seed, epoch), self.size, number)

    def micro_batches(
        self, epoch: int, start: int = 0, rank: int = 0, ranks: int = 1
    ) -> Iterator[tuple[int, Batch]]:
        """Number and content of the micro-batches `start + rank`, `start + rank + ranks`, ... of an epoch.

        Raises:
            DataError: too many pictures cannot be read.
        """
        numbers = range(start + rank, len(self), ranks)
        # What is asked for must not hold this, which would hold it, and its workers would not end with it.
        whole, size = order(len(self.samples), self.seed, epoch), self.size
        answers = self.ahead((epoch, cut(whole, size, number)) for number in numbers)
        for number, (batch, bad) in zip(numbers, answers, strict=True):
            self.bad.add(bad)
            yield number, batch


class Making(Generic[Batch]):
    """How a worker makes one micro-batch of training, and what it met."""

    def __init__(self, samples: Readable, prepare: Prepare[Batch], seed: int):
        self.samples, self.prepare, self.seed = samples, prepare, seed

    def __call__(self, request: tuple[int, list[int]]) -> tuple[Batch, list[Bad]]:
        """The batch of (epoch, indices)."""
        epoch, indices = request
        tolerant = Tolerant(self.samples, seed=self.seed, epoch=epoch)
        return self.prepare(tolerant, indices, epoch), tolerant.bad


class InOrder(Generic[Batch]):
    """The batches of an evaluation: every sample once, in order; a bad picture is an error."""

    def __init__(self, samples: Samples, prepare: Prepare[Batch], *, batch_size: int, workers: int = 0):
        require(batch_size >= 1, "batch_size", batch_size, "1 or more")
        self.samples, self.size = samples, batch_size
        kept = Kept(samples, HELD_OUT_BYTES, workers)
        self.ahead = Ahead(MakingInOrder(kept, prepare), workers)

    def __len__(self) -> int:
        """Batches, the last of which may be smaller."""
        return -(-len(self.samples) // self.size)

    def batches(self, numbers: Sequence[int] | None = None) -> Iterator[Batch]:
        """The batches of these numbers, or all.

        Raises:
            DataError: a picture cannot be read.
        """
        whole, size = range(len(self.samples)), self.size
        chosen = range(len(self)) if numbers is None else numbers
        yield from self.ahead(whole[number * size : (number + 1) * size] for number in chosen)


class MakingInOrder(Generic[Batch]):
    """How a worker makes one batch of an evaluation."""

    def __init__(self, samples: Readable, prepare: Prepare[Batch]):
        self.samples, self.prepare = samples, prepare

    def __call__(self, indices: Sequence[int]) -> Batch:
        """The batch of these."""
        return self.prepare(self.samples, indices, 0)


def cut(whole: Tensor, size: int, number: int) -> list[int]:
    """A micro-batch of an epoch."""
    return whole[number * size : (number + 1) * size].tolist()


@lru_cache(maxsize=2)
def order(count: int, seed: int, epoch: int) -> Tensor:
    """(N,) int32: the permutation of an epoch, from (seed, epoch) alone."""
    return torch.randperm(count, generator=generator(draws(seed, epoch, "order")), dtype=torch.int32)
