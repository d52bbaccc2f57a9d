"""Plan of an epoch: micro-batches, and the process that computes each."""

from dataclasses import dataclass
from typing import Any

from ..data.loader import Loader
from ..errors import DataError, UsageError
from ..settings.run import Run

EVALUATED = 64  # samples of an evaluation that are measured at a time


@dataclass(frozen=True)
class Plan:
    """Plan of an epoch: optimiser step s takes micro-batches s * group to (s + 1) * group - 1."""

    micro_batch: int  # samples
    accumulation: int  # micro-batches of one step in one process
    ranks: int
    evaluated: int = EVALUATED  # fewer where the recipe tells how many fit; the same for any number of ranks

    @classmethod
    def of(cls, run: Run, ranks: int) -> "Plan":
        """Return the plan for so many processes.

        Raises:
            UsageError: the batch cannot be shared out evenly, or there is nobody to share the weights with.
        """
        if run.sharding == "full" and ranks == 1:
            raise UsageError(
                "run.sharding=full shares the weights out among processes, and this is one; start more, "
                "as by --processes 2, or choose run.sharding=none"
            )
        given = run.micro_batch if isinstance(run.micro_batch, int) else None
        micro = given or max(run.batch_size // ranks, 1)
        if run.batch_size % (micro * ranks):
            parts = f" in micro-batches of {given}" if given else ""
            raise UsageError(
                f"run.batch_size={run.batch_size} cannot be shared by {ranks} processes{parts}; "
                f"choose a multiple of {(given or 1) * ranks}"
            )
        return cls(micro, run.batch_size // (micro * ranks), ranks, min(given or EVALUATED, EVALUATED))

    @property
    def group(self) -> int:
        """Micro-batches of one step over all processes."""
        return self.accumulation * self.ranks

    def steps(self, loader: Loader[Any]) -> int:
        """Return the number of optimiser steps of an epoch; micro-batches too few for another are left out.

        Raises:
            DataError: there is not one.
        """
        if len(loader) < self.group:
            raise DataError(
                f"{len(loader.samples)} training samples are fewer than one batch of "
                f"{self.batch_size}; add samples, or choose a smaller run.batch_size"
            )
        return len(loader) // self.group

    @property
    def batch_size(self) -> int:
        """Samples of one step, over all processes."""
        return self.micro_batch * self.group

    def left_out(self, loader: Loader[Any]) -> int:
        """Return the number of samples of an epoch that fill no step, other ones in each epoch."""
        return loader.sampler.length(loader.size) - self.steps(loader) * self.batch_size

    def fitting(self, samples: int) -> int:
        """Return the batch size, at least half of this one, that leaves out the fewest of so many samples.

        Of several the largest. The processes can share it, in the micro-batches of the recipe.
        """
        unit = self.ranks * (self.micro_batch if self.accumulation > 1 else 1)
        sizes = range(self.batch_size, self.batch_size // 2, -unit)
        return min(sizes, key=lambda size: samples % size)

    def ids(self, loader: Loader[Any], epoch: int, step: int) -> list[str]:
        """Return the names of the samples of one step, over all processes."""
        numbers = range(step * self.group, (step + 1) * self.group)
        return [loader.samples.ids[i] for number in numbers for i in loader.indices(epoch, number)]
