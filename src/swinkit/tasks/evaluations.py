"""What the evaluations of all tasks share: how they observe, what they state, the folder they fill."""

import json
import shutil
import uuid
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

from .. import __version__
from ..data.dataset import Dataset
from ..data.loader import InOrder
from ..data.preprocess import Preprocess
from ..errors import DataError, EnvironmentProblem, UsageError, listed
from ..files.disk import sync
from ..files.folder import read_json, take_name
from .predictor import evaluating
from .task import Task

METRICS, CLASSES, PREDICTIONS = "metrics.json", "per_class.csv", "predictions.csv"
CONFUSION, WORST, RECONSTRUCTIONS = "confusion.png", "worst.png", "reconstructions.png"
FILES = (METRICS, CLASSES, PREDICTIONS, CONFUSION, WORST, RECONSTRUCTIONS)

# How the numbers of pictures pass: `contextlib.nullcontext` in silence, `tqdm` with a bar.
Watching = Callable[[Sequence[int]], AbstractContextManager[Iterable[int]]]


def observed(model: Task, prepared: InOrder[Any], watching: Watching) -> Tensor:
    """(N, M) the rows that `model`, on the device where it is, observes of every batch.

    Raises:
        DataError: a picture cannot be read; none is left out.
    """
    weight, rows = next(model.parameters()), []
    with evaluating(model), torch.inference_mode(), watching(range(len(prepared.samples))) as numbers:
        passing = iter(numbers)
        for batch in prepared.batches():
            rows.append(model.observe(beside(batch, weight)))
            deque(islice(passing, len(batch.pixels)), maxlen=0)
    return torch.cat(rows)


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


def refuse_to_replace(folder: Path) -> None:
    """Check, before anything is measured, that an evaluation may be written as `folder`.

    Raises:
        UsageError: it is a file, or holds anything but an earlier evaluation.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder; choose another name for the evaluation")
    found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    strangers = [name for name in found if name not in FILES]
    if found and not strangers and not is_ours(folder / METRICS):
        strangers = found
    if strangers:
        raise UsageError(f"{folder} holds {listed(strangers)}, which would be lost; choose another folder")


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
    path = folder.absolute()
    refuse_to_replace(path)
    token = uuid.uuid4().hex[:8]
    partial, old = (path.with_name(f".{path.name}.{token}.{end}") for end in ("partial", "old"))
    try:
        partial.mkdir(parents=True)
        for name, value in content.items():
            write_file(partial / name, value)
            sync(partial / name)
        sync(partial)
        take_name(partial, path, old)
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentProblem(
            f"{folder} cannot be written ({reason}); nothing there was changed"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def write_file(path: Path, value: dict[str, Any] | str | Image.Image) -> None:
    """One file of an evaluation."""
    if isinstance(value, Image.Image):
        value.save(path)
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
    # Names of files may be bytes that are no text; they come out as they are on the disk.
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
