"""Batches from samples, in an order that does not depend on the number of workers.

Shapes: N samples, M micro-batches of an epoch.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from ..errors import DataError, require
from .batch import tensors_in
from .corrupt import CorruptSample, CorruptSamples, read_or_replace
from .prefetch import Prefetcher
from .sample import Sample, Samples
from .sampler import Sampler, Shuffled

MAX_BAD_FRACTION = 0.001
CACHE_BYTES = 2**28  # of decoded images, in all processes that read for one training
TRAINING_BYTES, HELD_OUT_BYTES = 3 * CACHE_BYTES // 4, CACHE_BYTES // 4

Batch = TypeVar("Batch")
BatchOut = TypeVar("BatchOut", covariant=True)


class Collate(Protocol[BatchOut]):
    """Function of a task that makes a batch of samples.

    Whatever is random in it follows from a seed of its own, the epoch and the samples' ids.
    """

    def __call__(self, samples: Iterable[Sample], epoch: int) -> BatchOut:
        """Make one batch; `samples` are read one by one while they are iterated over, once."""
        ...


class Loader(Generic[Batch]):
    """Micro-batches of a training, in an order that follows from (seed, epoch).

    `sampler` chooses the order, by default a permutation. `pixels` tells how many pixels a prepared sample
    has; None means the same for all samples.

    Raises:
        DataError: on construction, there are fewer samples than one micro-batch.
    """

    def __init__(
        self,
        samples: Samples,
        collate: Collate[Batch],
        *,
        micro_batch: int,
        seed: int,
        workers: int = 0,
        max_bad_fraction: float = MAX_BAD_FRACTION,
        sampler: Sampler | None = None,
        pixels: Callable[[int], int] | None = None,
    ):
        require(micro_batch >= 1, "micro_batch", micro_batch, "1 or more")
        require(workers >= 0, "data.workers", workers, "0 or more")
        require(0 <= max_bad_fraction <= 1, "data.max_bad_fraction", max_bad_fraction, "in [0, 1]")
        self.samples, self.seed, self.size, self.pixels = samples, seed, micro_batch, pixels
        self.sampler = Shuffled(len(samples)) if sampler is None else sampler
        if not len(self):
            if len(samples) >= micro_batch:
                raise DataError(
                    f"{samples.root}: the {len(samples)} pictures in {samples.split} fill no batch of "
                    f"{micro_batch} of one kind; add pictures, or choose a smaller batch"
                )
            raise DataError(
                f"{samples.root}: {len(samples)} pictures in {samples.split} are fewer than one batch "
                f"of {micro_batch}; add pictures, or choose a smaller batch, such as "
                f"run.batch_size={max(1, len(samples) // 4)}"
            )
        self.bad = CorruptSamples(len(samples), max_bad_fraction)
        self.orders: dict[int, Tensor] = {}
        cache = ImageCache(samples, TRAINING_BYTES, workers)
        self.ahead = Prefetcher(TrainingFetcher(samples, cache, collate, seed), workers)

    def __len__(self) -> int:
        """Return M, which counts full micro-batches only."""
        return self.sampler.length(self.size) // self.size

    def order(self, epoch: int) -> Tensor:
        """Return the entries of an epoch, in order, as the sampler numbers them."""
        if epoch not in self.orders:
            self.orders = {epoch: self.sampler.order(self.seed, epoch, self.size)}
        return self.orders[epoch]

    def indices(self, epoch: int, number: int) -> list[int]:
        """Return the indices of the samples of one micro-batch."""
        return [entry % len(self.samples) for entry in slice_of(self.order(epoch), self.size, number)]

    def micro_batches(
        self, epoch: int, start: int = 0, rank: int = 0, ranks: int = 1
    ) -> Iterator[tuple[int, Batch]]:
        """Yield number and content of the micro-batches `start + rank`, `start + rank + ranks`, ...

        Raises:
            DataError: too many samples cannot be read.
        """
        numbers = range(start + rank, len(self), ranks)
        # The requests must not hold `self`: it holds them, and its workers would not end with it.
        order, size = self.order(epoch), self.size
        answers = self.ahead((epoch, slice_of(order, size, number)) for number in numbers)
        for number, (batch, corrupt) in zip(numbers, answers, strict=True):
            self.bad.add(corrupt)
            yield number, batch

    def largest_micro_batch(self) -> Batch:
        """Return the micro-batch of the samples with the most pixels; the first one if all have as many.

        Raises:
            DataError: too many samples cannot be read.
        """
        if self.pixels is None:
            chosen = self.indices(0, 0)
        else:
            chosen = heapq.nlargest(self.size, range(len(self.samples)), key=self.pixels)
        ((batch, corrupt),) = self.ahead([(0, chosen)])
        self.bad.add(corrupt)
        return batch


class InOrder(Generic[Batch]):
    """Batches of an evaluation: every sample once, in order; a sample that cannot be read is an error."""

    def __init__(self, samples: Samples, collate: Collate[Batch], *, batch_size: int, workers: int = 0):
        require(batch_size >= 1, "batch_size", batch_size, "1 or more")
        self.samples, self.size = samples, batch_size
        cache = ImageCache(samples, HELD_OUT_BYTES, workers)
        self.ahead = Prefetcher(EvaluationFetcher(cache, collate), workers)

    def __len__(self) -> int:
        """Return the number of batches, the last of which may be smaller."""
        return -(-len(self.samples) // self.size)

    def batches(self, numbers: Sequence[int] | None = None) -> Iterator[Batch]:
        """Yield the batches of these numbers, or all.

        Raises:
            DataError: a sample cannot be read.
        """
        whole, size = range(len(self.samples)), self.size
        chosen = range(len(self)) if numbers is None else numbers
        yield from self.ahead(whole[number * size : (number + 1) * size] for number in chosen)


class ImageCache:
    """Cache of decoded samples in memory, up to a budget in bytes.

    A sample is stored if all samples would fit were they as large as it. The budget is `most` bytes, of which
    each of `readers` processes gets an equal part.
    """

    def __init__(self, samples: Samples, most: int, readers: int = 1):
        self.samples, self.most, self.room = samples, most, most // max(1, readers)
        self.stored: dict[int, Sample] = {}

    def read(self, index: int) -> Sample:
        """Return a sample, which must not be changed in place.

        Raises:
            ImageError: it cannot be read.
        """
        sample = self.stored.get(index)
        if sample is None:
            sample = self.samples[index]
            size = sum(tensor.nbytes for tensor in tensors_in(sample))
            if size * len(self.samples) <= self.most and size <= self.room:
                self.stored[index] = sample
                self.room -= size
        return sample


class TrainingFetcher(Generic[Batch]):
    """Reads and collates one micro-batch of training in a worker, and lists the corrupt samples."""

    def __init__(self, samples: Samples, cache: ImageCache, collate: Collate[Batch], seed: int):
        self.samples, self.cache, self.collate, self.seed = samples, cache, collate, seed

    def __call__(self, request: tuple[int, list[int]]) -> tuple[Batch, list[CorruptSample]]:
        """Make the batch of (epoch, entries)."""
        epoch, entries = request
        corrupt: list[CorruptSample] = []

        def read(entry: int) -> Sample:
            repeat, index = divmod(entry, len(self.samples))
            sample = read_or_replace(
                self.samples, index, self.cache.read, seed=self.seed, epoch=epoch, corrupt=corrupt
            )
            return replace(sample, repeat=repeat) if repeat else sample

        return self.collate(map(read, entries), epoch), corrupt


class EvaluationFetcher(Generic[Batch]):
    """Reads and collates one batch of an evaluation in a worker."""

    def __init__(self, cache: ImageCache, collate: Collate[Batch]):
        self.cache, self.collate = cache, collate

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Make the batch of these samples."""
        return self.collate(map(self.cache.read, indices), 0)


def slice_of(order: Tensor, size: int, number: int) -> list[int]:
    """Return the entries of one micro-batch."""
    return order[number * size : (number + 1) * size].tolist()
