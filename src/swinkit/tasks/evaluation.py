"""Evaluations of all tasks: observation of a data set, protocol, and files."""

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from ..data.dataset import Dataset
from ..data.loader import InOrder
from ..data.preprocess import Preprocess
from ..errors import DataError, UsageError
from ..files.atomic import atomic_write, refuse_to_replace
from ..files.plain import read_json
from ..type_check import expand_home
from ..version import __version__
from .observed import Observed
from .task import Task, evaluating, require_weights

METRICS = "metrics.json"

# Wraps the iteration over the numbers of the samples: `contextlib.nullcontext` in silence, `tqdm` with a bar.
Progress = Callable[[Sequence[int]], AbstractContextManager[Iterable[int]]]


@dataclass(frozen=True)
class Table:
    """Rows of cells for people, under a head; the columns `right` hold numbers. `note` comes below."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()
    note: str = ""


class Comparison(Protocol):
    """The difference between two evaluations of the same samples."""

    def to_json(self) -> dict[str, object]:
        """Return the numbers."""
        ...

    def report(self, other: str) -> list[str]:
        """Return lines for people; `other` is the name of the second model."""
        ...


@dataclass(frozen=True, kw_only=True)
class Evaluation(ABC):
    """A model's scores on samples: printed by `str`, written by `to_json` and `save`.

    `replaceable` are the names of the files of earlier evaluations, beside its own, that `save` may replace.
    """

    replaceable: Collection[str] = field(default=(), repr=False, compare=False)

    @abstractmethod
    def __str__(self) -> str:
        """Return the scores in one line."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """Protocol of the measurement, in one line."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the content of `metrics.json`: scores, and how they were measured."""

    def details(self) -> tuple[dict[str, Any], str]:
        """Return further content for `--json`, and a note about the omitted part, or ""."""
        return {}, ""

    def table(self) -> Table | None:
        """Return a part of the scores as a table, such as a row for each class; None if there is none."""
        return None

    def against(self, other: "Evaluation") -> Comparison:
        """Compare with `other`, another model on the same samples.

        Raises:
            UsageError: the models are of other tasks or classes, or their task has no comparison.
            DataError: the samples are others.
        """
        ours, theirs = type(self).__name__, type(other).__name__
        if ours == theirs:
            raise UsageError(f"a {ours} is not compared with another; look at the scores of both")
        raise UsageError(f"a {ours} is not compared with a {theirs}; give two models of one task")

    def files(self) -> dict[str, str | Image.Image]:
        """Return the files that `save` writes beside `metrics.json`, by name.

        Raises:
            DataError: a picture cannot be read any more.
        """
        return {}

    def save(self, folder: str | os.PathLike[str], **more: Any) -> None:
        """Write `metrics.json`, with `more`, and the `files` into a folder.

        Raises:
            UsageError: `folder` holds anything but an earlier evaluation.
            DataError: a picture cannot be read any more.
            EnvironmentProblem: it cannot be written; what stood there is kept.
        """
        content = {METRICS: {**more, **self.to_json()}, **self.files()}
        write_evaluation(expand_home(folder), content, self.replaceable)


def observe_all(model: Task, prepared: InOrder[Any], progress: Progress) -> Observed:
    """Observe all batches by `model`, on its device.

    Raises:
        DataError: a sample cannot be read; none is left out.
    """
    require_weights(model)
    device, size = model.input_device, prepared.size
    with evaluating(model), torch.inference_mode(), progress(range(len(prepared.samples))) as numbers:
        passing = iter(numbers)

        def batches() -> Iterator[tuple[int, Any]]:
            for numbered in enumerate(prepared.batches()):
                yield numbered
                deque(islice(passing, size), maxlen=0)

        return sum_observed(model, batches(), size, device)


def sum_observed(
    model: Task, batches: Iterable[tuple[int, Any]], size: int, device: torch.device
) -> Observed:
    """Return the sum of what `model` observes of numbered batches, each of `size` samples or fewer."""
    return Observed.sum(model.observe(batch.to(device)).at(number * size) for number, batch in batches)


def protocol(task: str, samples: Dataset, preprocess: Preprocess) -> dict[str, Any]:
    """Return the protocol of an evaluation, as written in `metrics.json`."""
    return {
        "swinkit": __version__,
        "task": task,
        "data": {
            "path": str(samples.root),
            "split": samples.split,
            "pictures": len(samples),
            "sha256": samples.fingerprint,
        },
        "protocol": {**preprocess.to_json(), "views": 1},
    }


def summary(samples: Dataset, preprocess: Preprocess) -> str:
    """Protocol of the measurement, in one line."""
    return (
        f"{len(samples)} pictures of {samples.root} ({samples.split}, sha256 {samples.fingerprint[:8]}); "
        f"{preprocess.describe()}; one view"
    )


def refuse_output(folder: Path, replaceable: Collection[str]) -> None:
    """Check, before anything is measured, that an evaluation may be written as `folder`.

    Raises:
        UsageError: it is a file, or holds anything but an earlier evaluation of `replaceable` files.
    """
    refuse_to_replace(folder, replaceable if is_ours(folder / METRICS) else (), "evaluation")


def is_ours(metrics: Path) -> bool:
    """Return whether an evaluation wrote this file."""
    try:
        return {"swinkit", "protocol"} <= set(read_json(metrics, dict))
    except DataError:
        return False


def write_evaluation(
    folder: Path, content: Mapping[str, dict[str, Any] | str | Image.Image], replaceable: Collection[str] = ()
) -> None:
    """Write files by name, values as JSON: all of them or nothing. An earlier evaluation is replaced.

    Such an evaluation has files of the names of `content` and `replaceable` only.

    Raises:
        UsageError: `folder` holds something else.
        EnvironmentProblem: it cannot be written; what stood there is kept.
    """
    refuse_output(folder, {*content, *replaceable})
    with atomic_write(folder) as partial:
        partial.mkdir(parents=True)
        for name, value in content.items():
            write_file(partial / name, value)


def write_file(path: Path, value: dict[str, Any] | str | Image.Image) -> None:
    """Write one file of an evaluation."""
    if isinstance(value, Image.Image):
        value.save(path)
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
    # Names of files may be bytes that are no text; they come out as they are on the disk.
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def as_csv(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return lines with commas between the values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
