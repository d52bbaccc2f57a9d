"""What the loop trains: a task and its data. It knows no more about them than stands here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ..data.bad import BadPictures
from ..errors import DataError, UsageError
from ..tasks.task import Task
from .recipe import Run


class MicroBatches(Protocol):
    """The training data: `data.loader.Loader`."""

    @property
    def samples(self) -> Any:
        """What it loads; `samples.ids` are their names."""
        ...

    @property
    def bad(self) -> BadPictures:
        """The pictures that could not be read so far."""
        ...

    def __len__(self) -> int:
        """Micro-batches of an epoch."""
        ...

    def micro_batches(
        self, epoch: int, start: int = 0, rank: int = 0, ranks: int = 1
    ) -> Iterator[tuple[int, Any]]:
        """Number and content of micro-batches `start + rank`, `start + rank + ranks`, ... of an epoch."""
        ...

    def indices(self, epoch: int, number: int) -> Sequence[int]:
        """The samples of one micro-batch."""
        ...


class Batches(Protocol):
    """The data of one evaluation: `data.loader.InOrder`."""

    def __len__(self) -> int:
        """How many."""
        ...

    def batches(self, numbers: Sequence[int]) -> Iterator[Any]:
        """Those of these numbers, in this order."""
        ...


def nothing(run: Path, observed: Tensor) -> None:
    """Nothing is drawn."""


@dataclass(frozen=True)
class Job:
    """One task on one data set.

    `loader` makes the training data in micro-batches of a size; `validation` is the data of an evaluation;
    `config` is the resolved configuration, fingerprints of the data included, which must be the
    same when a run is resumed; `save` writes the task with its scores as a saved model; `show` draws into
    the run's folder what the task observed in the best evaluation so far.
    """

    title: str  # one line for people; `notes` are more of them, by what they are about
    task: Task
    loader: Callable[[int], MicroBatches]
    validation: Batches
    config: dict[str, Any]
    save: Callable[[Path, dict[str, float]], None]
    notes: Mapping[str, str] = field(default_factory=dict)
    show: Callable[[Path, Tensor], None] = nothing


@dataclass(frozen=True)
class Plan:
    """How an epoch is cut: optimiser step s takes micro-batches s * group to (s + 1) * group - 1."""

    micro_batch: int  # samples
    accumulation: int  # micro-batches of one step in one process
    ranks: int

    @classmethod
    def of(cls, run: Run, ranks: int) -> "Plan":
        """The plan for so many processes.

        Raises:
            UsageError: the batch cannot be shared out evenly, or there is nobody to share the weights with.
        """
        if run.sharding == "full" and ranks == 1:
            raise UsageError(
                "run.sharding=full shares the weights out among processes, and this is one; start more, "
                "as by --processes 2, or choose run.sharding=none"
            )
        micro = run.micro_batch if isinstance(run.micro_batch, int) else run.batch_size // ranks
        if micro == 0 or run.batch_size % (micro * ranks):
            raise UsageError(
                f"run.batch_size={run.batch_size} cannot be shared by {ranks} processes in micro-batches "
                f"of {max(micro, 1)}; choose a multiple of {max(micro, 1) * ranks}"
            )
        return cls(micro, run.batch_size // (micro * ranks), ranks)

    @property
    def group(self) -> int:
        """Micro-batches of one step over all processes."""
        return self.accumulation * self.ranks

    def steps(self, loader: MicroBatches) -> int:
        """Optimiser steps of an epoch; micro-batches too few for another are left out.

        Raises:
            DataError: there is not one.
        """
        if len(loader) < self.group:
            raise DataError(
                f"{len(loader.samples)} training samples are fewer than one batch of "
                f"{self.group * self.micro_batch}; add samples, or choose a smaller run.batch_size"
            )
        return len(loader) // self.group

    def ids(self, loader: MicroBatches, epoch: int, step: int) -> list[str]:
        """The names of the samples of one step, over all processes."""
        numbers = range(step * self.group, (step + 1) * self.group)
        return [loader.samples.ids[i] for number in numbers for i in loader.indices(epoch, number)]
