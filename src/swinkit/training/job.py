"""What the loop trains: a task and its data. It knows no more about them than stands here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..data.corrupt import BadPictures
from ..tasks.observed import Observed
from ..tasks.task import Task


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

    def largest_micro_batch(self) -> Any:
        """Return a micro-batch of the samples that take most memory."""
        ...

    def indices(self, epoch: int, number: int) -> Sequence[int]:
        """The samples of one micro-batch."""
        ...


class Batches(Protocol):
    """The data of one evaluation: `data.loader.InOrder`."""

    @property
    def size(self) -> int:
        """Samples of a batch; the last may have fewer."""
        ...

    def __len__(self) -> int:
        """How many."""
        ...

    def batches(self, numbers: Sequence[int]) -> Iterator[Any]:
        """Those of these numbers, in this order."""
        ...


def draw_nothing(run: Path, observed: Observed) -> None:
    """Of tasks without pictures."""


@dataclass(frozen=True)
class Job:
    """One task on one data set.

    `loader` makes the training data in micro-batches of a size; `validation` the data of an evaluation;
    `config` is the resolved configuration, fingerprints of the data included, which must be the
    same when a run is resumed; `save` writes the task with its scores as a saved model; `draw` draws into
    the run's folder what the task observed in the best evaluation so far.
    """

    title: str  # one line for people; `notes` are more of them, by what they are about
    task: Task
    loader: Callable[[int], MicroBatches]
    validation: Callable[[int], Batches]
    config: dict[str, Any]
    save: Callable[[Path, dict[str, float]], None]
    notes: Mapping[str, str] = field(default_factory=dict)
    draw: Callable[[Path, Observed], None] = draw_nothing
