"""How far a training has come, and whether that is the end of it."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import DataError, UsageError
from .exchange import everyones
from .recipe import Run


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

    def finish_epoch(self, score: float, run: Run, epochs: int) -> bool:
        """The epoch is over, and may be the last; whether its `score` is the best so far."""
        before = -math.inf if self.best is None or math.isnan(self.best) else self.best
        better = math.isfinite(score) and score > before
        self.best = score if better else self.best
        self.since_best = 0 if better else self.since_best + 1
        self.epoch, self.step, self.loss, self.counted = self.epoch + 1, 0, 0.0, 0
        self.ended = self.why_over(run, epochs)
        return better

    def why_over(self, run: Run, epochs: int) -> str:
        """Why no step follows, or nothing; an epoch that has begun is brought to its end."""
        if self.epoch >= epochs:
            return "all epochs are done"
        if self.step:
            return ""
        if run.patience is not None and self.since_best >= run.patience:
            return f"{self.since_best} epochs brought no better score"
        return f"the {run.hours:g} hours are over" if self.out_of_time(run) else ""

    def out_of_time(self, run: Run) -> bool:
        """Whether it has trained for as long as it may."""
        return run.hours is not None and self.seconds >= run.hours * 3600


def same_everywhere(progress: Progress, folder: Path, device: torch.device) -> None:
    """See to it that all processes go on from one place; all call this.

    Raises:
        UsageError: they do not, as without a folder that all of them see.
    """
    own = torch.tensor([progress.epoch, progress.step, progress.updates], device="cpu")
    places = everyones(own, device)
    strays = (places != places[0]).any(1).nonzero().flatten().tolist()
    if strays:
        names = [Progress(*place).name() for place in places[[0, strays[0]]].tolist()]
        raise UsageError(
            f"{folder}: process 0 goes on from {names[0]}, and process {strays[0]} from {names[1]}; "
            "all processes need the same folder of the run, on a disk that their machines share"
        )


def refuse_more(progress: Progress, run: Run) -> None:
    """Stop a training whose steps come to nothing.

    Raises:
        DataError: as many as `run.bad_steps` in a row were skipped.
    """
    if progress.skipped_in_row >= run.bad_steps:
        raise DataError(
            f"{run.bad_steps} steps in a row had no finite loss and gradient, up to epoch "
            f"{progress.epoch + 1}, step {progress.step}; log.jsonl of the run lists their samples; "
            "look at these, or try a lower optimiser.lr"
        )
