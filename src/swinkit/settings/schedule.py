"""The length of a training and its learning rate, a pure function of the step. Torch-free.

The curves are those of Microsoft's `lr_scheduler.py` with timm 0.4.12, counted in steps; with `by_epoch` and
`warmup_share` they are those of OpenMMLab's mmcv. The layer-wise rates of fine-tuning scale `peak` alone:
`warmup_lr` and `final_lr` are the same for every group, as published.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from ..errors import require
from ..type_check import require_kinds

Kind = Literal["cosine", "linear", "step", "multistep", "poly", "constant"]
WARMUP_EPOCHS = 5  # if nothing else is given
LINEAR_END = 0.01  # of the peak: Microsoft's, which no configuration changes


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A number of epochs or iterations, a linear warm-up in either, then a curve of some kind.

    Raises:
        UsageError: a field is out of range, or both units are given, or neither.
    """

    kind: Annotated[Kind, "curve of the learning rate after the warm-up"] = "cosine"
    epochs: Annotated[int | None, "passes over the training pictures; null: iterations are given"] = None
    iterations: Annotated[int | None, "optimiser steps in all; null: epochs are given"] = None
    warmup_epochs: Annotated[
        float | None, "epochs in which the learning rate rises; null: 5, or none where iterations are counted"
    ] = None
    warmup_iterations: Annotated[
        int | None, "optimiser steps in which the learning rate rises, instead of warmup_epochs"
    ] = None
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
        tuple[float, ...],
        "epochs (or iterations) of the drops (multistep), or one number from drop to drop (step)",
    ] = ()
    factor: Annotated[float, "what a drop of step and multistep leaves of the rate"] = 0.1
    by_epoch: Annotated[bool, "change the rate once an epoch, as OpenMMLab, not at every step"] = False

    def __post_init__(self) -> None:
        """Check every field, and choose the warm-up that is not given: 5 epochs, or 0 iterations."""
        require_kinds(self, "schedule.")
        self._require_one_unit()
        if self.warmup_epochs is None and self.warmup_iterations is None:
            default = 0 if self.epochs is None else WARMUP_EPOCHS
            object.__setattr__(self, f"warmup_{self.unit}s", default)
        self._require_warmup()
        require(self.warmup_lr >= 0, "schedule.warmup_lr", self.warmup_lr, "0 or above")
        share = self.warmup_share
        require(share is None or 0 <= share <= 1, "schedule.warmup_share", share, "in [0, 1]")
        require(self.final_lr >= 0, "schedule.final_lr", self.final_lr, "0 or above")
        require(self.power > 0, "schedule.power", self.power, "above 0")
        require(0 < self.factor <= 1, "schedule.factor", self.factor, "above 0 and at most 1")
        self._require_drops()

    @property
    def unit(self) -> str:
        """Name of the unit that is counted: epoch or iteration."""
        return "iteration" if self.epochs is None else "epoch"

    @property
    def length(self) -> int:
        """The number of units."""
        return self.epochs or self.iterations or 0

    @property
    def warmup(self) -> float | None:
        """The warm-up in units; None if it is given in the other unit."""
        return self.warmup_iterations if self.epochs is None else self.warmup_epochs

    def steps(self, steps_per_epoch: int) -> int:
        """Return the optimiser steps in all."""
        return self.length * self.unit_steps(steps_per_epoch)

    def unit_steps(self, steps_per_epoch: int) -> int:
        """Return the optimiser steps of a unit."""
        return 1 if self.epochs is None else steps_per_epoch

    def warmup_steps(self, steps_per_epoch: int) -> float:
        """Return the optimiser steps of the warm-up, whole or not."""
        if self.warmup_epochs is None:
            return self.warmup_iterations or 0
        return self.warmup_epochs * steps_per_epoch

    def require_fits(self, steps_per_epoch: int) -> None:
        """Raise UsageError if the warm-up, given in the other unit, is as long as the training or longer."""
        steps, warmup = self.steps(steps_per_epoch), self.warmup_steps(steps_per_epoch)
        rule = f"below the {steps} steps of the training"
        require(warmup < steps, f"schedule.warmup_{self._warmup_unit}s", f"{warmup:g} steps", rule)
        first = self.at[0] * self.unit_steps(steps_per_epoch) if self.kind == "multistep" else warmup
        require(first >= warmup, "schedule.at", self.at, "after the warm-up")

    @property
    def _warmup_unit(self) -> str:
        return "iteration" if self.warmup_epochs is None else "epoch"

    def _require_one_unit(self) -> None:
        """Check that there is one length, and at most one warm-up."""
        if self.epochs is None:
            one = self.iterations is not None
            require(one, "schedule.epochs", None, "1 or more, or schedule.iterations given instead")
            require(self.length >= 1, "schedule.iterations", self.iterations, "1 or more")
        else:
            require(self.epochs >= 1, "schedule.epochs", self.epochs, "1 or more")
            rule = "null where schedule.epochs is given; schedule.epochs=null counts iterations instead"
            require(self.iterations is None, "schedule.iterations", self.iterations, rule)
        one = self.warmup_epochs is None or self.warmup_iterations is None
        rule = "null where schedule.warmup_epochs is given"
        require(one, "schedule.warmup_iterations", self.warmup_iterations, rule)

    def _require_warmup(self) -> None:
        """Check the warm-up."""
        name = f"schedule.warmup_{self._warmup_unit}s"
        value = self.warmup_iterations if self.warmup_epochs is None else self.warmup_epochs
        same = self.warmup is not None
        most = self.length if same else math.inf
        rule = f"0 or more and below schedule.{self.unit}s, {most}, such as {name}=0" if same else "0 or more"
        require(value is not None and 0 <= value < most, name, value, rule)

    def _require_drops(self) -> None:
        """Check that the drops fit the kind and come after the warm-up."""
        counts = {"step": 1, "multistep": max(1, len(self.at))}
        words = {"step": f"one number of {self.unit}s", "multistep": f"one or more {self.unit}s"}
        rule = f"{words.get(self.kind, 'empty')} for {self.kind}"
        require(len(self.at) == counts.get(self.kind, 0), "schedule.at", self.at, rule)
        require(list(self.at) == sorted(self.at), "schedule.at", self.at, "ascending")
        lowest = (self.warmup or 0) if self.kind == "multistep" else 0
        require(not self.at or self.at[0] > 0, "schedule.at", self.at, "above 0")
        require(not self.at or self.at[0] >= lowest, "schedule.at", self.at, "after the warm-up")


@dataclass(frozen=True)
class Steps:
    """The place of a step among those of a training, all in steps."""

    now: int
    per_epoch: int
    per_unit: int
    warmup: int
    total: int


def learning_rate(step: int, steps_per_epoch: int, peak: float, schedule: Schedule) -> float:
    """Return the rate of optimiser step `step`, counted from 0, for a group of parameters with this peak."""
    warmup = schedule.warmup_steps(steps_per_epoch)
    unit, total = schedule.unit_steps(steps_per_epoch), schedule.steps(steps_per_epoch)
    steps = Steps(step, steps_per_epoch, unit, int(warmup), total)
    if schedule.warmup_share is None:
        if step < steps.warmup:
            return schedule.warmup_lr + step * (peak - schedule.warmup_lr) / steps.warmup
        return on_curve(steps, peak, schedule)
    lacking = max(0.0, 1 - step / warmup) if warmup else 0.0
    return on_curve(steps, peak, schedule) * (1 - lacking * (1 - schedule.warmup_share))


def on_curve(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Return the rate without warm-up."""
    if schedule.by_epoch:
        steps = replace(steps, now=steps.now - steps.now % steps.per_epoch)
    return CURVES[schedule.kind](steps, peak, schedule)


def cosine(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Fall along half a wave from the peak to the final rate, and stay there."""
    begin = steps.warmup if schedule.after_warmup else 0
    progress = min(1.0, (steps.now - begin) / (steps.total - begin))
    return schedule.final_lr + (peak - schedule.final_lr) * (1 + math.cos(math.pi * progress)) / 2


def linear(steps: Steps, peak: float, _schedule: Schedule) -> float:
    """Fall along a line from the end of the warm-up, also past the last step, as Microsoft's does."""
    progress = (steps.now - steps.warmup) / (steps.total - steps.warmup)
    return peak - (peak - peak * LINEAR_END) * progress


def step(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Drop every so many units, counted from the first step."""
    return peak * schedule.factor ** (steps.now // max(1, int(schedule.at[0] * steps.per_unit)))


def multistep(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Drop at each of the given units."""
    return peak * schedule.factor ** bisect_right([at * steps.per_unit for at in schedule.at], steps.now)


def poly(steps: Steps, peak: float, schedule: Schedule) -> float:
    """Fall with a power of the time that is left, from the first step."""
    left = max(0.0, 1 - steps.now / steps.total)
    return schedule.final_lr + (peak - schedule.final_lr) * left**schedule.power


def constant(_steps: Steps, peak: float, _schedule: Schedule) -> float:
    """Return the peak rate."""
    return peak


CURVES: dict[Kind, Callable[[Steps, float, Schedule], float]] = {
    "cosine": cosine,
    "linear": linear,
    "step": step,
    "multistep": multistep,
    "poly": poly,
    "constant": constant,
}
