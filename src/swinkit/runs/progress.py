"""Planned length of a training, and its progress."""

import math
from dataclasses import dataclass
from typing import Any, Self

from ..settings.recipe import Recipe
from ..settings.schedule import Schedule


@dataclass(frozen=True)
class Length:
    """Planned length of a training, unless something ends it sooner, and its evaluations."""

    schedule: Schedule
    steps: int  # of the optimiser, in an epoch
    batch_size: int  # samples of a step, over all processes
    evaluate_every: int | None = None  # units of the schedule; None: an epoch

    @classmethod
    def of(cls, recipe: Recipe, steps: int) -> Self:
        """Return the length of a training with so many steps an epoch.

        Raises:
            UsageError: the warm-up is as long as the training.
        """
        recipe.schedule.require_fits(steps)
        return cls(recipe.schedule, steps, recipe.run.batch_size, recipe.run.evaluate_every)

    def __str__(self) -> str:
        if self.schedule.epochs is None:
            return f"{quantity(self.schedule.length, 'iteration')}, {self.steps} in an epoch"
        return f"{quantity(self.schedule.epochs, 'epoch')} of {quantity(self.steps, 'step')}"

    @property
    def total(self) -> int:
        """Optimiser steps in all."""
        return self.schedule.steps(self.steps)

    @property
    def epochs(self) -> int:
        """Epochs, the last of which may be cut short by the number of iterations."""
        return self.schedule.epochs or -(-self.total // self.steps)

    @property
    def interval(self) -> int:
        """Optimiser steps between two evaluations."""
        if self.evaluate_every is None:
            return self.steps
        return self.evaluate_every * self.schedule.unit_steps(self.steps)

    def before(self, progress: "Progress") -> int:
        """Return the number of steps before the next."""
        if self.schedule.epochs is None:
            return progress.updates
        return progress.epoch * self.steps + progress.step

    def is_over(self, progress: "Progress") -> bool:
        """Return whether all epochs, or all iterations, are done and evaluated."""
        if self.schedule.epochs is None:
            return progress.updates >= self.schedule.length and progress.is_evaluated
        return progress.epoch >= self.schedule.epochs

    def is_due(self, progress: "Progress") -> bool:
        """Return whether an evaluation comes before the next step."""
        if self.schedule.epochs is None:
            done = progress.updates
            now = done % self.interval == 0 or done >= self.total
            return done > 0 and not progress.is_evaluated and now
        epochs = progress.epoch + 1
        now = epochs % (self.evaluate_every or 1) == 0 or epochs >= self.schedule.epochs
        return progress.step >= self.steps and now

    def is_due_or_epoch_over(self, progress: "Progress") -> bool:
        """Return whether no further step belongs to this epoch or comes before the next evaluation."""
        return progress.step >= self.steps or self.is_due(progress)

    def steps_left(self, progress: "Progress") -> int:
        """Return the number of steps to come."""
        return self.total - self.before(progress)

    def evaluations_left(self, progress: "Progress") -> int:
        """Return the number of evaluations to come, one that is due included."""
        if self.schedule.epochs is None:
            done = (progress.updates - (not progress.is_evaluated)) // self.interval
        else:
            done = progress.epoch // (self.evaluate_every or 1)
        return -(-self.total // self.interval) - done

    def reached(self, progress: "Progress") -> str:
        """Return in words how many units are done: epoch 3, iteration 16000."""
        done = progress.updates if self.schedule.epochs is None else progress.epoch
        return f"{self.schedule.unit} {done}"


@dataclass
class Progress:
    """Progress of a training: everything that is resumed beside tensors."""

    epoch: int = 0  # the one in progress, from 0
    step: int = 0  # optimiser steps done in it
    updates: int = 0  # optimiser steps done in all, those skipped included
    loss: float = 0.0  # summed over the steps since the latest evaluation
    counted: int = 0  # steps in that sum
    seconds: float = 0.0  # of training, over all its parts
    skipped: int = 0  # steps without a finite loss and gradient
    skipped_in_row: int = 0
    best: float | None = None  # the best finite score so far
    best_loss: float | None = None  # the loss of the evaluation that became `best/`
    since_best: int = 0  # evaluations without a better score
    ended: str = ""  # the reason, once it has; found anew when it is resumed
    evaluated: int = -1  # `updates` at the latest evaluation

    @classmethod
    def of(cls, recorded: dict[str, Any]) -> Self:
        """Return the progress that a checkpoint recorded.

        Earlier versions evaluated after every epoch and did not record it.

        Raises:
            TypeError: it was recorded in other numbers.
        """
        progress = cls(**recorded)
        if "evaluated" not in recorded:
            progress.evaluated = progress.updates - progress.step
        return progress

    @property
    def is_evaluated(self) -> bool:
        """True if no step was done since the latest evaluation."""
        return self.evaluated == self.updates

    @property
    def skipped_lately(self) -> int:
        """The number of steps skipped since the latest evaluation."""
        return self.updates - max(self.evaluated, 0) - self.counted

    def name(self) -> str:
        """Return the name of the checkpoint's folder; names sort chronologically."""
        return f"epoch-{self.epoch:04d}-step-{self.step:08d}"

    def count(self, loss: float, seconds: float, *, finite: bool) -> None:
        """Count one more step."""
        self.step, self.updates, self.seconds = self.step + 1, self.updates + 1, self.seconds + seconds
        if finite:
            self.loss, self.counted, self.skipped_in_row = self.loss + loss, self.counted + 1, 0
        else:
            self.skipped, self.skipped_in_row = self.skipped + 1, self.skipped_in_row + 1

    def mean_loss(self) -> float:
        """Return the mean loss of the steps since the latest evaluation."""
        return self.loss / self.counted if self.counted else math.nan

    def finish_evaluation(
        self, score: float, loss: float = math.nan, *, lower_is_better: bool = False
    ) -> bool:
        """Record an evaluation with its held-out loss, and return whether it is the best so far.

        Of equal scores the lower loss is better, then the later evaluation. A score that only equals the best
        one does not restart the count for `run.patience`, because such a training no longer gets better.
        """
        now = rank_of(score, loss, lower_is_better=lower_is_better)
        before = rank_of(self.best, self.best_loss, lower_is_better=lower_is_better)
        best = math.isfinite(score) and now >= before
        self.since_best = 0 if best and now[0] > before[0] else self.since_best + 1
        if best:
            self.best, self.best_loss = score, loss
        self.loss, self.counted, self.evaluated = 0.0, 0, self.updates
        return best

    def begin_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0


def rank_of(score: float | None, loss: float | None, *, lower_is_better: bool = False) -> tuple[float, float]:
    """Return the rank of an evaluation: by its score, then by its loss; what is not finite ranks lowest."""
    if score is None or not math.isfinite(score):
        score = -math.inf
    elif lower_is_better:
        score = -score
    loss = math.inf if loss is None or not math.isfinite(loss) else loss
    return score, -loss


def quantity(number: int, thing: str) -> str:
    """Return a number with its noun: 1 step, 2 steps."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
