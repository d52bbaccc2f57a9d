"""What a training tells while it runs: to the log of its folder, and to whoever watches."""

import math
from collections.abc import Sequence
from dataclasses import asdict

import torch

from .recipe import Recipe
from .report import Report, Reporting, Stopwatch, memory_used
from .run import RunFolder
from .state import Progress

LOGGED_EVERY = 50  # steps


class Diary:
    """Of several processes, one `writes`, and the others are silent."""

    def __init__(
        self,
        folder: RunFolder,
        reporting: Reporting,
        recipe: Recipe,
        steps: int,
        device: torch.device,
        *,
        writes: bool,
    ):
        self.folder, self.reporting, self.recipe, self.steps = folder, reporting, recipe, steps
        self.device, self.writes = device, writes

    def open(self, title: str, progress: Progress) -> None:
        """The training begins, or goes on."""
        if not self.writes:
            return
        self.folder.rewind(progress)
        self.reporting(f"{title}: {self.recipe.schedule.epochs} epochs of {self.steps} steps")
        if progress.updates and not progress.ended:
            self.folder.log("resumed", progress.updates, epoch=progress.epoch + 1, step=progress.step)
            where = f"epoch {progress.epoch + 1} of {self.recipe.schedule.epochs}"
            self.reporting(f"going on in {where}, after step {progress.step} of {self.steps}")
        elif progress.ended:
            self.reporting(f"nothing is left to do: {progress.ended}")

    def step(self, progress: Progress, loss: float, rate: float, watch: Stopwatch) -> None:
        """One step is done."""
        if not self.writes:
            return
        left = self.recipe.schedule.epochs * self.steps - progress.epoch * self.steps - progress.step
        report = Report(
            epoch=progress.epoch + 1,
            epochs=self.recipe.schedule.epochs,
            step=progress.step,
            steps=self.steps,
            loss=loss,
            rate=rate,
            images_per_second=self.recipe.run.batch_size / watch.step,
            waiting=min(1.0, watch.wait / watch.step),
            memory=memory_used(self.device),
            seconds_left=left * watch.step,
        )
        self.reporting(report)
        if progress.updates % LOGGED_EVERY == 0:
            self.folder.log("step", progress.updates, **asdict(report))

    def skipped(self, progress: Progress, loss: float, norm: float, samples: Sequence[str]) -> None:
        """A step was not taken, for want of a finite loss and gradient."""
        if not self.writes:
            return
        self.folder.log(
            "skipped",
            progress.updates,
            epoch=progress.epoch + 1,
            step=progress.step,
            loss=spelled(loss),
            gradient_norm=spelled(norm),
            samples=list(samples),
        )

    def epoch(self, progress: Progress, loss: float, rate: float, scores: dict[str, float]) -> None:
        """An epoch is over; `progress` is at the beginning of the next."""
        if not self.writes:
            return
        numbers = {"loss": spelled(loss), "lr": rate, **scores, "seconds": progress.seconds}
        self.folder.log("epoch", progress.updates, epoch=progress.epoch, skipped=progress.skipped, **numbers)
        self.folder.tabulate()
        shown = "  ".join(f"{name} {value:.4g}" for name, value in {"loss": loss, **scores}.items())
        self.reporting(f"epoch {progress.epoch} of {self.recipe.schedule.epochs}  {shown}")
        if progress.ended:
            self.folder.log("ended", progress.updates, why=progress.ended)
            self.reporting(progress.ended)

    def stopped(self, progress: Progress, signal: int) -> None:
        """It was asked to stop, and has saved."""
        if self.writes:
            self.folder.log("stopped", progress.updates, signal=signal)


def spelled(value: float) -> float | str:
    """A number as JSON can hold it."""
    return value if math.isfinite(value) else str(value)
