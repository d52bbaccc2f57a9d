"""A recipe: the complete description of a training, as plain frozen values. Torch-free."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW (Loshchilov and Hutter 2019)."""

    lr: float = 1e-3  # at its peak
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 5.0  # largest norm of the gradient


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Linear warm-up, then a cosine to `final_lr`."""

    epochs: int
    warmup_epochs: float = 5
    final_lr: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What happens to training pictures; see `tasks.classification.data.Augment`."""

    shift: int = 4
    mirror: float = 0.5
    cutmix: float = 0.5
    smoothing: float = 0.1  # of the labels


@dataclass(frozen=True, kw_only=True)
class Run:
    """How it is executed; none of it changes what is learned in expectation."""

    batch_size: int = 128
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # torch.compile the backbone; needs a C++ compiler
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to train and how."""

    variant: str
    drop_path: float
    size: tuple[int, int]  # pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    augmentation: Augmentation = field(default_factory=Augmentation)
    run: Run = field(default_factory=Run)
