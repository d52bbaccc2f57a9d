"""A recipe: the complete description of a training, as plain frozen values, checked when they are made."""

from dataclasses import dataclass, field
from typing import Literal

from ..data.augment import Augmentation
from ..errors import require


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW (Loshchilov and Hutter 2019)."""

    lr: float = 1e-3  # at its peak
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = 5.0  # largest norm of the gradient

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        require(self.lr > 0, "optimiser.lr", self.lr, "above 0")
        require(self.weight_decay >= 0, "optimiser.weight_decay", self.weight_decay, "0 or above")
        require(all(0 <= beta < 1 for beta in self.betas), "optimiser.betas", self.betas, "in [0, 1)")
        require(self.clip_norm > 0, "optimiser.clip_norm", self.clip_norm, "above 0")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Linear warm-up, then a cosine to `final_lr`."""

    epochs: int
    warmup_epochs: float = 5
    final_lr: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse what cannot be scheduled."""
        require(self.epochs >= 1, "schedule.epochs", self.epochs, "1 or more")
        require(
            0 <= self.warmup_epochs < self.epochs,
            "schedule.warmup_epochs",
            self.warmup_epochs,
            "0 or more and below schedule.epochs",
        )
        require(self.final_lr >= 0, "schedule.final_lr", self.final_lr, "0 or above")


@dataclass(frozen=True, kw_only=True)
class Run:
    """How it is executed; none of it changes what is learned in expectation."""

    batch_size: int = 128
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # torch.compile the backbone; needs a C++ compiler
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require(self.batch_size >= 1, "run.batch_size", self.batch_size, "1 or more")
        require(0 <= self.seed < 2**32, "run.seed", self.seed, "in [0, 2^32)")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to train and how."""

    variant: str
    drop_path: float
    size: tuple[int, int]  # pixels, (h, w)
    mean: tuple[float, float, float]  # of the training images' RGB in [0, 1]
    std: tuple[float, float, float]
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule
    augmentation: Augmentation = field(default_factory=Augmentation)
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        """Refuse what describes no training."""
        require(0 <= self.drop_path < 1, "drop_path", self.drop_path, "in [0, 1)")
        require(min(self.size) >= 1, "size", self.size, "positive pixels")
        require(min(self.std) > 0, "std", self.std, "above 0")
        require(self.augmentation.shift >= 0, "augmentation.shift", self.augmentation.shift, "0 or more")
        for name in ("mirror", "cutmix", "smoothing"):
            value = getattr(self.augmentation, name)
            require(0 <= value <= 1, f"augmentation.{name}", value, "in [0, 1]")
