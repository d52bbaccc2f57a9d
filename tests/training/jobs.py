"""The smallest training that has everything: drop-path, dropout, bias tables, random pictures.

`run_job` is imported by processes that a test starts and kills, so it takes plain values only.
"""

import errno
import io
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from swinkit.data.loader import InOrder, Loader
from swinkit.data.preprocess import Preprocess
from swinkit.data.sample import Sample
from swinkit.errors import DataError, SwinkitError
from swinkit.models.build import build
from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.settings.data import CroppedData
from swinkit.settings.optimiser import Optimiser
from swinkit.settings.recipe import Recipe
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.data import Batch
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.settings import Augmentation, ClassificationRecipe
from swinkit.tasks.classification.task_type import ClassificationType
from swinkit.tasks.observed import Observed
from swinkit.tasks.serialization import write_model
from swinkit.training.freezing import freeze
from swinkit.training.job import Job
from swinkit.training.loop import train
from tests.models.small import spec

SIZE = 16
CLASSES = ("dark", "light")


@dataclass(frozen=True)
class Numbers:
    """As many samples as asked for, each made from its number."""

    count: int = 24
    root: str = "numbers"
    split: str = "train"
    classes: tuple[str, ...] = CLASSES
    bad: int | None = None  # the one that cannot be read
    poisoned: int | None = None  # the one that is not finite

    def __len__(self) -> int:
        return self.count

    @property
    def ids(self) -> Sequence[str]:
        return [f"sample-{i}" for i in range(self.count)]

    def __getitem__(self, index: int) -> Sample:
        if index == self.bad:
            raise DataError(f"{self.ids[index]} of {self.split} cannot be read")
        generator = torch.Generator().manual_seed(index)
        picture = torch.randint(0, 128, (3, SIZE, SIZE), generator=generator)
        picture = (picture + 127 * (index % 2)).to(torch.uint8)
        image = picture * math.nan if index == self.poisoned else picture
        return Sample(self.ids[index], image, {"label": index % 2})


def prepare(samples: Iterable[Sample], epoch: int) -> Batch:
    """Pictures as they are."""
    read = list(samples)
    pixels = torch.stack([sample.image for sample in read]).float() / 255 - 0.5
    return Batch(pixels, torch.tensor([sample.target["label"] for sample in read]))


@dataclass(frozen=True)
class NumbersJob(Job):
    """A job on `Numbers`, which are taken as they are."""

    title: ClassVar[str] = "numbers"

    @property
    def config(self) -> dict[str, Any]:
        fingerprint = f"{len(self.training)} numbers"
        return {"data": str(self.data), "fingerprint": fingerprint, "recipe": asdict(self.recipe)}

    def loader(self, micro_batch: int) -> Loader[Batch]:
        run, workers = self.recipe.run, self.recipe.data.workers
        return Loader(self.training, prepare, micro_batch=micro_batch, seed=run.seed, workers=workers)

    def validation_loader(self, batch_size: int) -> InOrder[Batch]:
        """Five batches, the last of one sample."""
        return InOrder(self.validation, prepare, batch_size=min(batch_size, 2))

    def save(self, folder: Path, scores: dict[str, float]) -> None:
        write_model(self.task, folder)

    def draw(self, run: Path, observed: Observed) -> None:
        """Draw nothing."""


def with_methods(job: Job, **methods: Callable[..., Any]) -> Job:
    """Return the same job with other functions for some of its methods."""
    own = {name: staticmethod(method) for name, method in methods.items()}
    return type(type(job).__name__, (type(job),), own)(**vars(job))


def recipe(
    epochs: int = 2,
    dropout: float = 0.3,
    frozen_stages: int | None = None,
    trainable: Literal["head", "norms"] | None = None,
    kind: Literal["adamw", "muon"] = "adamw",
    **run: Any,
) -> ClassificationRecipe:
    """Six steps an epoch; `dropout` is the rate of drop-path, too."""
    return ClassificationRecipe(
        variant="swin-t",
        drop_path=dropout,
        frozen_stages=frozen_stages,
        trainable=trainable,
        data=CroppedData(size=(SIZE, SIZE), mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)),
        augmentation=Augmentation(),
        # A small eps would let noise move the keys' biases, which do nothing; every gradient is clipped.
        optimiser=Optimiser(kind=kind, lr=1e-2, eps=1e-3, clip_norm=0.5),
        schedule=Schedule(epochs=epochs, warmup_epochs=0),
        run=Run(**{"batch_size": 4, "seed": 5, "ema": 0.9, "save_every": 2, **run}),
    )


def job(recipe: Recipe, *, count: int = 24, bad_watched: int | None = None, **faults: int | None) -> Job:
    """Return a tiny V1 with every kind of dropout on `Numbers`, of which one may have one of its `faults`."""
    torch.manual_seed(recipe.run.seed)
    rates = {"drop_path": recipe.drop_path, "dropout": recipe.drop_path}
    swin = build(spec(embed_dim=8, depths=(1, 1), num_heads=(1, 2), **rates))
    side = (SIZE, SIZE)
    task = Classifier(
        swin, CLASSES, Preprocess.to_crop(crop=side, resize=SIZE, mean=(0.5,) * 3, std=(1.0,) * 3)
    )
    freeze(task, recipe)
    training: Any = Numbers(count, **faults)
    validation: Any = Numbers(9, split="val", bad=bad_watched)
    return NumbersJob(recipe, ClassificationType(), task, training, validation, Path("nowhere"), {})


def run_job(
    path: str,
    *,
    epochs: int = 2,
    workers: int = 0,
    dies_at: int = 0,
    full_at: int = 0,
    dies_inside: float = 0.0,
    bad: int | None = None,
    poisoned: int | None = None,
    bad_watched: int | None = None,
    seconds: float = 0.0,
    environment: dict[str, str] | None = None,
    allow_changes: bool = False,
    **run: Any,
) -> None:
    """Train in a process of its own, which adds a byte to `PATH.steps` after each step.

    `dies_at` kills it before the so many-th change of the disk; from the `full_at`-th time on that something
    is forced there, it is full; `dies_inside` kills it while it writes a checkpoint, 2.5 in the middle of the
    third; `bad` and `bad_watched` are samples that cannot be read, `poisoned` one that is not finite;
    `seconds` is how long it rests after a step; `environment` makes it one of several processes. An error
    adds a line to `PATH.errors`.
    """
    torch.set_num_threads(1)
    os.environ.update(environment or {})
    multiprocessing.set_start_method("fork", force=True)  # of the workers, as in any process
    chosen = recipe(epochs, **run)
    chosen = replace(chosen, data=replace(chosen.data, workers=workers))
    steps = os.open(f"{path}.steps", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if dies_at:
        die_before_change(dies_at)
    if dies_inside:
        die_inside(dies_inside)
    if full_at:
        sync, times = os.fsync, count(1)
        os.fsync = lambda file: sync(file) if next(times) < full_at else refused()

    def reporting(said: Report | str) -> None:
        if isinstance(said, Report):
            os.write(steps, b".")
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(0.01)

    try:
        training = job(chosen, bad=bad, poisoned=poisoned, bad_watched=bad_watched)
        train(training, chosen, RunFolder(Path(path)), allow_changes=allow_changes, reporting=reporting)
    except KeyboardInterrupt:  # as cli/main.py ends
        sys.exit(130)
    except SwinkitError as error:
        with suppress(OSError), Path(f"{path}.errors").open("a") as file:  # the disk may be full
            file.write(f"{error}\n")
        sys.exit(error.exit_code)


def die_before_change(number: int) -> None:
    """Kill this process, not its workers, where it would change the disk for the so many-th time."""
    countdown, own = iter(range(number - 1, -1, -1)), os.getpid()

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **options: Any) -> Any:
            if os.getpid() == own and not next(countdown):
                os.kill(own, signal.SIGKILL)
            return change(*args, **options)

        return changed

    for name in ("fsync", "replace", "rename", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))


def die_inside(moment: float) -> None:
    """Kill this process while it writes a checkpoint, once as much of it is written as `moment` says."""
    times, save, (whole, share) = count(), torch.save, (int(moment), moment % 1)

    def saved(state: Any, file: Any) -> None:
        content = io.BytesIO()
        save(state, content)
        last = next(times) == whole
        file.write(content.getvalue()[: int(share * len(content.getvalue())) if last else None])
        if last:
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = saved


def refused() -> None:
    """Raise the error of a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
