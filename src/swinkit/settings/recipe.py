"""A recipe: the complete description of a training, as plain frozen values, checked when they are made."""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from ..errors import DataError, require
from ..tasks.simmim.settings import Masking
from ..type_check import require_kinds
from .augmentation import Augmentation
from .schedule import Schedule

Settings = TypeVar("Settings")
Sharding = Literal["none", "full"]
Kind = Literal["adamw", "muon"]
Rule = Literal["paper", "microsoft", "simmim-pretrain", "openmmlab", "video"]
AXES = (2, 3)  # of pictures; of clips and volumes
AUTO = "auto"  # of run.micro_batch: the largest that fits into memory
Tracker = Literal["tensorboard", "wandb", "mlflow", "trackio"]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW (Loshchilov and Hutter 2019); for the matrices between the patches and the head also Muon."""

    kind: Kind = "adamw"
    lr: float = 1e-3  # at its peak
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip_norm: float | None = 5.0  # largest norm of the gradient; None: as it comes
    layer_decay: float | None = None  # of the rate, from each block to the one before
    rule: Rule = "paper"  # which parameters decay, and at what rate they learn: `training/optimiser.py`

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        require_kinds(self, "optimiser.")
        require(self.lr > 0, "optimiser.lr", self.lr, "above 0")
        require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "0 or above")
        require(all(0 <= beta < 1 for beta in self.betas), "optimiser.betas", self.betas, "in [0, 1)")
        require(self.eps > 0, "optimiser.eps", self.eps, "above 0")
        bounded = self.clip_norm is None or self.clip_norm > 0
        require(bounded, "optimiser.clip_norm", self.clip_norm, "above 0, or None")
        decay = self.layer_decay
        require(decay is None or 0 < decay <= 1, "optimiser.layer_decay", decay, "above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class Data:
    """How pictures are read."""

    size: tuple[int, ...]  # pixels, (h, w); of clips (frames, h, w)
    resize: int | None = None  # the shorter side, before the middle is cut out; None: all is squeezed
    mean: tuple[float, ...]  # of each channel of the training images, in [0, 1]
    std: tuple[float, ...]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    workers: int = 0  # processes that read
    max_bad_fraction: float = 0.001  # of the training samples, that may be unreadable

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        require_kinds(self, "data.")
        known = len(self.size) in AXES and min(self.size) >= 1
        require(known, "data.size", self.size, "positive: (height, width), or (frames, height, width)")
        side = max(self.size[-2:])
        enough = self.resize is None or self.resize >= side
        require(enough, "data.resize", self.resize, f"None or at least {side}, as data.size")
        require(len(self.mean) > 0, "data.mean", self.mean, "a number for each channel")
        spread = len(self.std) == len(self.mean) and min(self.std) > 0
        require(spread, "data.std", self.std, f"above 0 for each of {len(self.mean)} channels, as data.mean")
        require(self.workers >= 0, "data.workers", self.workers, "0 or more")
        require(0 <= self.max_bad_fraction < 1, "data.max_bad_fraction", self.max_bad_fraction, "in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class Run:
    """How it is executed."""

    batch_size: int = 128  # samples of one optimiser step, over all processes
    micro_batch: int | Literal["auto"] | None = None  # samples at a time in one process; None: all at once
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False  # torch.compile each block; needs a C++ compiler
    checkpointing: bool = False  # recompute in backward what a block computed: less memory
    sharding: Sharding = "none"  # full: a process keeps its part of each weight (FSDP2); none: all (DDP)
    ema: float | None = None  # decay of averaged weights, which are then measured and saved, too
    seed: int = 0
    save_every: int = 1000  # optimiser steps between checkpoints; one is written after every epoch as well
    patience: int | None = None  # epochs without a better score after which it stops
    hours: float | None = None  # of steps, after which the epoch is measured as it is, and it stops
    bad_steps: int = 20  # steps in a row without a finite loss and gradient after which it stops
    trackers: tuple[Tracker, ...] = ()  # where else it can be followed: `training/trackers.py`

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require_kinds(self, "run.")
        require(self.batch_size >= 1, "run.batch_size", self.batch_size, "1 or more")
        micro = self.micro_batch
        divides = isinstance(micro, int) and micro >= 1 and self.batch_size % micro == 0
        fits = micro in (None, AUTO) or divides
        require(fits, "run.micro_batch", micro, f"{AUTO} or a divisor of run.batch_size, {self.batch_size}")
        whole = micro != AUTO or self.sharding == "none"
        require(whole, "run.micro_batch", micro, "a number where run.sharding shares the weights out")
        require(self.ema is None or 0 < self.ema < 1, "run.ema", self.ema, "between 0 and 1")
        require(0 <= self.seed < 2**32, "run.seed", self.seed, "in [0, 2^32)")
        require(self.save_every >= 1, "run.save_every", self.save_every, "1 or more")
        require(self.patience is None or self.patience >= 1, "run.patience", self.patience, "1 or more")
        require(self.hours is None or self.hours > 0, "run.hours", self.hours, "above 0")
        require(self.bad_steps >= 1, "run.bad_steps", self.bad_steps, "1 or more")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to train and how."""

    task: Literal["classification", "simmim"] = "classification"
    variant: str
    init: str | None = None  # where the weights start from: a checkpoint's name, a file or a saved model
    drop_path: float
    data: Data
    augmentation: Augmentation = field(default_factory=Augmentation)
    masking: Masking | None = None  # of simmim, which needs it
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        """Refuse what describes no training."""
        require_kinds(self)
        require_finite(self)
        require(0 <= self.drop_path < 1, "drop_path", self.drop_path, "in [0, 1)")
        masked = self.task == "simmim"
        rule = "given for the task simmim" if masked else f"None for the task {self.task}"
        require(masked == (self.masking is not None), "masking", self.masking, rule)
        whole = self.optimiser.kind == "adamw" or self.run.sharding == "none"
        require(
            whole, "run.sharding", self.run.sharding, "none for optimiser.kind=muon, which turns matrices"
        )


def require_finite(settings: Any, place: str = "") -> None:
    """Raise UsageError for a number, here or in settings inside, that is infinite or none."""
    for each in fields(settings):
        value, name = getattr(settings, each.name), f"{place}{each.name}"
        if is_dataclass(value):
            require_finite(value, f"{name}.")
        for number in value if isinstance(value, tuple) else (value,):
            require(not isinstance(number, float) or math.isfinite(number), name, value, "finite")


def from_json(kind: type[Settings], values: object, name: str = "recipe") -> Settings:
    """Settings of `kind` from what `json` made of them.

    Raises:
        DataError: a field is missing or unknown.
        UsageError: a value that the settings refuse.
    """
    known = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    if not isinstance(values, dict):
        raise DataError(f"{name}: expected an object of fields, got {type(values).__name__}")
    wrong = [f"{name}.{field} is missing" for field in sorted(known - set(values))]
    wrong += [f"{name}.{field} is not known" for field in sorted(set(values) - known)]
    if wrong:
        raise DataError(
            f"{', '.join(wrong)}: it was written by another version of swinkit, or by hand; correct it, or "
            "go on with that version (the run's env.json names it)"
        )
    kinds = get_type_hints(kind)
    made: dict[str, Any] = {}
    for field_name, value in values.items():
        inner = settings_in(kinds[field_name])
        if inner is not None and value is not None:
            made[field_name] = from_json(inner, value, f"{name}.{field_name}")
        else:
            made[field_name] = tuple(value) if isinstance(value, list) else value
    return kind(**made)


def settings_in(kind: Any) -> Any:
    """The settings that a field of this type holds, or None: `Masking` for `Masking | None`."""
    return next((each for each in (kind, *get_args(kind)) if is_dataclass(each)), None)
