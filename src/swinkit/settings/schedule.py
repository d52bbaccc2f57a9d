"""The learning rate: a pure function of the step. Torch-free.

The curves are those of Microsoft's `lr_scheduler.py` with timm 0.4.12, counted in steps; with `by_epoch` and
`warmup_share` they are those of OpenMMLab's mmcv. The layer-wise rates of fine-tuning scale `peak` alone:
`warmup_lr` and `final_lr` are the same for every group, as published.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import require
from ..type_check import require_kinds

Kind = Literal["cosine", "linear", "step", "multistep", "poly", "constant"]
LINEAR_END = 0.01  # of the peak: Microsoft's, which no configuration changes


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A linear warm-up, then a curve of some kind."""

    kind: Annotated[Kind, "curve of the learning rate after the warm-up"] = "cosine"
    epochs: Annotated[int, "passes over the training pictures"]
    warmup_epochs: Annotated[float, "epochs in which the learning rate rises"] = 5
    warmup_lr: Annotated[float, "learning rate at the first step"] = 0.0
    warmup_share: Annotated[
        float | None, "warm up from this share of the curve, as mmcv does; null: from warmup_lr"
    ] = None
    after_warmup: Annotated[
        bool, "begin to fall after the warm-up; else at the first step, hidden by the warm-up"
    ] = True
    final_lr: Annotated[float, "learning rate at the end, of cosine and poly"] = 1e-5
    power: Annotated[float, "exponent of poly"] = 1.0
    at: Annotated[
        tuple[float, ...], "epochs of the drops (multistep), or one number from drop to drop (step)"
    ] = ()
    factor: Annotated[float, "what a drop of step and multistep leaves of the rate"] = 0.1
    by_epoch: Annotated[bool, "change the rate once an epoch, as OpenMMLab, not at every step"] = False

    def __post_init__(self) -> None:
        """Refuse what cannot be scheduled."""
        require_kinds(self, "schedule.")
        require(self.epochs >= 1, "schedule.epochs", self.epochs, "1 or more")
        fits = 0 <= self.warmup_epochs < self.epochs
        rule = f"0 or more and below schedule.epochs, {self.epochs}, such as schedule.warmup_epochs=0"
        require(fits, "schedule.warmup_epochs", self.warmup_epochs, rule)
        require(self.warmup_lr >= 0, "schedule.warmup_lr", self.warmup_lr, "0 or above")
        share = self.warmup_share
        require(share is None or 0 <= share <= 1, "schedule.warmup_share", share, "in [0, 1]")
        require(self.final_lr >= 0, "schedule.final_lr", self.final_lr, "0 or above")
        require(self.power > 0, "schedule.power", self.power, "above 0")
        require(0 < self.factor <= 1, "schedule.factor", self.factor, "above 0 and at most 1")
        self._check_drops()

    def _check_drops(self) -> None:
        """Refuse drops where there are none, none where there should be, or in the warm-up."""
        counts = {"step": 1, "multistep": max(1, len(self.at))}
        rule = {"step": "one number of epochs", "multistep": "one or more epochs"}.get(self.kind, "empty")
        require(len(self.at) == counts.get(self.kind, 0), "schedule.at", self.at, f"{rule} for {self.kind}")
        require(list(self.at) == sorted(self.at), "schedule.at", self.at, "ascending")
        lowest = self.warmup_epochs if self.kind == "multistep" else 0
        require(not self.at or self.at[0] > 0, "schedule.at", self.at, "above 0")
        require(not self.at or self.at[0] >= lowest, "schedule.at", self.at, "after the warm-up")


@dataclass(frozen=True)
class Steps:
    """Where a step stands among those of a training."""

    now: int
    per_epoch: int
    warmup: int
    total: int


def learning_rate(step: int, steps_per_epoch: int, peak: float, schedule: Schedule) -> float:
    """The rate of optimiser step `step`, counted from 0, for a group of parameters with this peak."""
    warmup = schedule.warmup_epochs * steps_per_epoch
    steps = Steps(step, steps_per_epoch, int(warmup), int(schedule.epochs * steps_per_epoch))
    if schedule.warmup_share is None:
        if step < steps.warmup:
            return schedule.warmup_lr + step * (peak - schedule.warmup_lr) / steps.warmup
        return on_curve(steps, peak, schedule)
    lacking = max(0.0, 1 - step / warmup) if warmup else 0.0
    return on_curve(steps, peak, schedule) * (1 - lacking * (1 - schedule.warmup_share))


def on_curve(steps: Steps, peak: float, schedule: Schedule) -> float:
    """The rate without warm-up."""
    if schedule.by_epoch:
        begun = steps.now - steps.now % steps.per_epoch
        steps = Steps(begun, steps.per_epoch, steps.warmup, steps.total)
    return CURVES[schedule.kind](steps, peak, schedule)


def cosine(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Half a wave from the peak to the final rate, which stays."""
    begin = steps.warmup if schedule.after_warmup else 0
    progress = min(1.0, (steps.now - begin) / (steps.total - begin))
    return schedule.final_lr + (peak - schedule.final_lr) * (1 + math.cos(math.pi * progress)) / 2


def linear(steps: Steps, peak: float, _schedule: Schedule) -> float:
    """A line from the end of the warm-up; past the last step it goes on falling, as Microsoft's."""
    progress = (steps.now - steps.warmup) / (steps.total - steps.warmup)
    return peak - (peak - peak * LINEAR_END) * progress


def step(steps: Steps, peak: float, schedule: Schedule) -> float:
    """A drop every so many epochs, counted from the first step."""
    return peak * schedule.factor ** (steps.now // max(1, int(schedule.at[0] * steps.per_epoch)))


def multistep(steps: Steps, peak: float, schedule: Schedule) -> float:
    """A drop at each of some epochs."""
    return peak * schedule.factor ** bisect_right([at * steps.per_epoch for at in schedule.at], steps.now)


def poly(steps: Steps, peak: float, schedule: Schedule) -> float:
    """A power of the time that is left, from the first step."""
    left = max(0.0, 1 - steps.now / steps.total)
    return schedule.final_lr + (peak - schedule.final_lr) * left**schedule.power


def constant(_steps: Steps, peak: float, _schedule: Schedule) -> float:
    """The peak."""
    return peak


CURVES: dict[Kind, Callable[[Steps, float, Schedule], float]] = {
    "cosine": cosine,
    "linear": linear,
    "step": step,
    "multistep": multistep,
    "poly": poly,
    "constant": constant,
}
