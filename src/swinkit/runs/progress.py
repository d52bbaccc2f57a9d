"""How long a training is to be, and how far it has come."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """How long a training is to be, where nothing ends it sooner."""

    epochs: int
    steps: int  # of the optimiser, in an epoch
    batch_size: int  # samples of a step, over all processes

    def __str__(self) -> str:
        return f"{counted(self.epochs, 'epoch')} of {counted(self.steps, 'step')}"

    def before(self, progress: "Progress") -> int:
        """How many steps come before the next."""
        return progress.epoch * self.steps + progress.step


@dataclass
class Progress:
    """How far a training has come: all that is resumed beside tensors."""

    epoch: int = 0  # the one in progress, from 0
    step: int = 0  # optimiser steps done in it
    updates: int = 0  # optimiser steps done in all, those skipped included
    loss: float = 0.0  # summed over the epoch's steps
    counted: int = 0  # steps in that sum
    seconds: float = 0.0  # of training, over all its parts
    skipped: int = 0  # steps without a finite loss and gradient
    skipped_in_row: int = 0
    best: float | None = None  # the highest finite score so far
    since_best: int = 0  # epochs
    ended: str = ""  # why, once it has; asked anew when it is resumed

    def name(self) -> str:
        """Of its checkpoint; names sort as time goes."""
        return f"epoch-{self.epoch:04d}-step-{self.step:08d}"

    def count(self, loss: float, seconds: float, *, finite: bool) -> None:
        """One more step."""
        self.step, self.updates, self.seconds = self.step + 1, self.updates + 1, self.seconds + seconds
        if finite:
            self.loss, self.counted, self.skipped_in_row = self.loss + loss, self.counted + 1, 0
        else:
            self.skipped, self.skipped_in_row = self.skipped + 1, self.skipped_in_row + 1

    def mean_loss(self) -> float:
        """Of the epoch's steps so far."""
        return self.loss / self.counted if self.counted else math.nan

    def finish_epoch(self, score: float) -> bool:
        """The epoch is over; whether its `score` is the best so far."""
        before = -math.inf if self.best is None or math.isnan(self.best) else self.best
        better = math.isfinite(score) and score > before
        self.best = score if better else self.best
        self.since_best = 0 if better else self.since_best + 1
        self.epoch, self.step, self.loss, self.counted = self.epoch + 1, 0, 0.0, 0
        return better


def counted(number: int, thing: str) -> str:
    """1 step, 2 steps."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
