"""What a training tells while it runs: to the log of its folder, to trackers, and to whoever watches."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict

import torch

from .header import header, resuming
from .job import Job, Plan
from .progress import Progress
from .recipe import Recipe
from .report import Report, Reporting, Stopwatch, memory_used
from .results import draw_results
from .run import RESUME, RunFolder, how_to_resume
from .trackers import Trackers

LOGGED_EVERY = 50  # steps
TRACKED = {"loss": "loss", "rate": "lr", "images_per_second": "images_per_second", "waiting": "waiting"}


class Diary:
    """Of several processes, one `writes`, and the others are silent."""

    def __init__(
        self,
        folder: RunFolder,
        reporting: Reporting,
        recipe: Recipe,
        steps: int,
        device: torch.device,
        trackers: Trackers,
        *,
        writes: bool,
    ):
        self.folder, self.reporting, self.recipe, self.steps = folder, reporting, recipe, steps
        self.device, self.trackers, self.writes = device, trackers, writes
        self.stepped = time.perf_counter()  # when the latest step was done
        self.between = 0.0  # seconds from an epoch's last step to its scores

    def open(self, job: Job, plan: Plan, progress: Progress, changes: Sequence[str] = ()) -> None:
        """The training begins, or goes on, with `changes` since it began.

        Raises:
            EnvironmentProblem: the folder cannot be written, or a tracker cannot begin.
        """
        if not self.writes:
            return
        self.folder.rewind(progress)
        self.reporting(f"{job.title}: {self.recipe.schedule.epochs} epochs of {self.steps} steps")
        if progress.ended:
            self.reporting(f"nothing is left to do: {progress.ended}")
            return
        for line in header(job, self.recipe, plan, self.device, self.folder.path):
            self.reporting(line)
        self.folder.replace(RESUME, how_to_resume(self.folder.path))
        if not progress.updates:
            self.folder.log("began", 0, **job.notes)
        else:
            place = {"epoch": progress.epoch + 1, "step": progress.step, "steps": self.steps}
            self.folder.log("resumed", progress.updates, **place)
            self.reporting(resuming(progress, self.recipe, self.steps, changes))
        self.trackers.open(progress)

    def step(self, progress: Progress, loss: float, rate: float, watch: Stopwatch) -> None:
        """One step is done."""
        if not self.writes:
            return
        self.stepped = time.perf_counter()
        epochs = self.recipe.schedule.epochs - progress.epoch  # that are still to end
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
            seconds_left=(epochs * self.steps - progress.step) * watch.step + epochs * self.between,
        )
        self.reporting(report)
        if progress.updates % LOGGED_EVERY == 0:
            facts = asdict(report)
            self.folder.log("step", progress.updates, **facts)
            numbers = {name: facts[field] for field, name in TRACKED.items()}
            self.trackers.log("step", progress.updates, numbers)

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
        self.between = time.perf_counter() - self.stepped
        told = {"loss": loss, "lr": rate, **scores, "seconds": progress.seconds}
        numbers = {name: spelled(value) for name, value in told.items()}
        self.folder.log("epoch", progress.updates, epoch=progress.epoch, skipped=progress.skipped, **numbers)
        self.folder.tabulate()
        draw_results(self.folder)
        self.trackers.log("epoch", progress.updates, {"loss": loss, **scores})
        shown = "  ".join(f"{name} {value:.4f}" for name, value in {"loss": loss, **scores}.items())
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
