"""What the evaluations of all tasks share: how they observe, what they state, the folder they fill."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..data.dataset import Dataset
from ..data.loader import InOrder
from ..data.preprocess import Preprocess
from ..errors import DataError
from ..files.atomic import atomic_write, refuse_to_replace
from ..files.typed_json import read_json
from ..version import __version__
from .observed import Observed
from .predictor import evaluating
from .task import Task

METRICS, CLASSES, PREDICTIONS = "metrics.json", "per_class.csv", "predictions.csv"
CONFUSION, WORST, RECONSTRUCTIONS = "confusion.png", "worst.png", "reconstructions.png"
FILES = (METRICS, CLASSES, PREDICTIONS, CONFUSION, WORST, RECONSTRUCTIONS)

# How the numbers of pictures pass: `contextlib.nullcontext` in silence, `tqdm` with a bar.
Watching = Callable[[Sequence[int]], AbstractContextManager[Iterable[int]]]


def observed(model: Task, prepared: InOrder[Any], watching: Watching) -> Observed:
    """Return what `model`, on the device where it is, observes of every batch.

    Raises:
        DataError: a picture cannot be read; none is left out.
    """
    weight = next(model.parameters())
    with evaluating(model), torch.inference_mode(), watching(range(len(prepared.samples))) as numbers:
        passing = iter(numbers)

        def observe(number: int, batch: Any) -> Observed:
            part = model.observe(beside(batch, weight)).at(number * prepared.size)
            deque(islice(passing, len(batch.pixels)), maxlen=0)
            return part

        return Observed.sum(observe(number, batch) for number, batch in enumerate(prepared.batches()))


def beside(batch: Any, weight: Tensor) -> Any:
    """A batch, a dataclass of tensors, on the device of `weight`; the pixels in its precision, too."""
    tensors = {field.name: getattr(batch, field.name).to(weight.device) for field in fields(batch)}
    return replace(batch, **tensors | {"pixels": tensors["pixels"].to(weight.dtype)})


def protocol(task: str, samples: Dataset, preprocess: Preprocess) -> dict[str, Any]:
    """What was measured, and how, as `metrics.json` states it."""
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
    """The same in one line for people."""
    squeezed, crop = preprocess.resize is None, preprocess.crop
    how = f"squeezed to {crop}" if squeezed else f"shorter side to {preprocess.resize}, middle {crop} pixels"
    return (
        f"{len(samples)} pictures of {samples.root} ({samples.split}, sha256 {samples.fingerprint[:8]}); "
        f"{how}, {preprocess.interpolation}; one view"
    )


def refuse_output(folder: Path) -> None:
    """Check, before anything is measured, that an evaluation may be written as `folder`.

    Raises:
        UsageError: it is a file, or holds anything but an earlier evaluation.
    """
    refuse_to_replace(folder, FILES if is_ours(folder / METRICS) else (), "evaluation")


def is_ours(metrics: Path) -> bool:
    """Whether an evaluation wrote this file."""
    try:
        return {"swinkit", "protocol"} <= set(read_json(metrics, dict))
    except DataError:
        return False


def write_evaluation(folder: Path, content: Mapping[str, dict[str, Any] | str | Image.Image]) -> None:
    """Write files by name, values as JSON: all of them or nothing. An earlier evaluation is replaced.

    Raises:
        UsageError: `folder` holds something else.
        EnvironmentProblem: it cannot be written; what stood there is kept.
    """
    refuse_output(folder)
    with atomic_write(folder) as partial:
        partial.mkdir(parents=True)
        for name, value in content.items():
            write_file(partial / name, value)


def write_file(path: Path, value: dict[str, Any] | str | Image.Image) -> None:
    """One file of an evaluation."""
    if isinstance(value, Image.Image):
        value.save(path)
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
    # Names of files may be bytes that are no text; they come out as they are on the disk.
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
