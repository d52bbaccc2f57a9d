"""Logger of a training: to the log of its folder, to trackers, and to a progress display."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch

from ..errors import listed
from .config_diff import Change
from .folder import LOG, RESUME, RunFolder, how_to_resume
from .plots import draw_results
from .progress import Length, Progress, quantity
from .step_report import Report, Reporting, Stopwatch, memory_used, spell_non_finite
from .trackers import Trackers

LOGGED_EVERY = 50  # steps
TRACKED = {"loss": "loss", "rate": "lr", "images_per_second": "images_per_second", "waiting": "waiting"}


class RunLogger:
    """Logger of a run; of several processes only the one with `writes` logs."""

    def __init__(
        self,
        folder: RunFolder,
        trackers: Trackers,
        reporting: Reporting,
        length: Length,
        device: torch.device,
        ranked_loss: str,
        *,
        lower_is_better: bool,
        writes: bool,
    ):
        self.folder, self.trackers, self.reporting = folder, trackers, reporting
        self.length, self.device, self.writes = length, device, writes
        self.ranked_loss = ranked_loss  # the score by which equal evaluations are ranked
        self.lower_is_better = lower_is_better  # of the first score
        self.stepped = time.perf_counter()  # when the latest step was done
        self.between = 0.0  # seconds from the last step before an evaluation to its scores

    def open(
        self,
        title: str,
        header: Sequence[str],
        notes: Mapping[str, str],
        progress: Progress,
        changes: Sequence[Change] = (),
    ) -> None:
        """Log that the training begins, or goes on with `changes` since it began.

        `title` and `header` are lines for people, `notes` what is logged of how it begins.

        Raises:
            EnvironmentProblem: the folder cannot be written, or a tracker cannot begin.
        """
        if not self.writes:
            return
        self.folder.rewind(progress)
        self.reporting(f"{title}: {self.length}")
        if progress.ended:
            self.reporting(describe_end(progress, self.length))
            return
        for line in header:
            self.reporting(line)
        self.folder.replace(RESUME, how_to_resume(self.folder.path))
        if not progress.updates:
            self.folder.log("began", 0, **notes)
        else:
            place = {"epoch": progress.epoch + 1, "step": progress.step, "steps": self.length.steps}
            self.folder.log("resumed", progress.updates, **place)
            self.reporting(describe_resumption(progress, self.length, changes))
        self.trackers.open(progress)

    def log_step(self, progress: Progress, loss: float, rate: float, watch: Stopwatch) -> None:
        """Report one optimiser step; log and track every `LOGGED_EVERY`-th."""
        if not self.writes:
            return
        self.stepped = time.perf_counter()
        length = self.length
        steps_left, evaluations_left = length.steps_left(progress), length.evaluations_left(progress)
        report = Report(
            epoch=progress.epoch + 1,
            epochs=length.epochs,
            step=progress.step,
            steps=length.steps,
            loss=loss,
            rate=rate,
            images_per_second=length.batch_size / watch.step,
            waiting=min(1.0, watch.wait / watch.step),
            memory=memory_used(self.device),
            seconds_left=steps_left * watch.step + evaluations_left * self.between,
        )
        self.reporting(report)
        if progress.updates % LOGGED_EVERY == 0:
            facts = asdict(report)
            self.folder.log("step", progress.updates, **spell_non_finite(facts))
            numbers = {name: facts[field] for field, name in TRACKED.items()}
            self.trackers.log("step", progress.updates, numbers)

    def log_skipped(self, progress: Progress, loss: float, norm: float, samples: Sequence[str]) -> None:
        """Log a step that was not taken, because loss or gradient was not finite.

        The first one since an evaluation is reported; the next evaluation reports their number.
        """
        if not self.writes:
            return
        if progress.skipped_lately == 1:
            where = f"epoch {progress.epoch + 1}, step {progress.step}"
            self.reporting(
                f"{where}: skipped, because loss or gradient is not finite; {LOG} lists its samples"
            )
        self.folder.log(
            "skipped",
            progress.updates,
            epoch=progress.epoch + 1,
            step=progress.step,
            samples=list(samples),
            **spell_non_finite({"loss": loss, "gradient_norm": norm}),
        )

    def log_evaluation(
        self,
        progress: Progress,
        loss: float,
        rate: float,
        scores: dict[str, float],
        *,
        skipped: int = 0,
        bad: int = 0,
    ) -> None:
        """Log the scores of an evaluation, of the steps before it those `skipped`, and all `bad` pictures."""
        if not self.writes:
            return
        self.between = time.perf_counter() - self.stepped
        numbers = spell_non_finite({"loss": loss, "lr": rate, **scores, "seconds": progress.seconds})
        epochs = self.length.schedule.unit == "epoch"
        event, done = ("epoch", progress.epoch) if epochs else ("evaluation", progress.updates)
        counts = {self.length.schedule.unit: done, "skipped": progress.skipped, "bad": bad}
        self.folder.log(event, progress.updates, **counts, **numbers)
        self.folder.tabulate()
        draw_results(self.folder, self.ranked_loss, lower_is_better=self.lower_is_better)
        self.trackers.log(event, progress.updates, {"loss": loss, **scores})
        values = "  ".join(f"{name} {value:.4f}" for name, value in {"loss": loss, **scores}.items())
        remarks = f"  {quantity(skipped, 'step')} skipped" if skipped else ""
        remarks += f"  {quantity(bad, 'bad picture')} replaced" if bad else ""
        reached = f"{self.length.reached(progress)} of {self.length.schedule.length}"
        self.reporting(f"{reached}  {values}{remarks}")

    def log_end(self, progress: Progress) -> None:
        """Log the reason why the training is over, if it is."""
        if self.writes and progress.ended:
            self.folder.log("ended", progress.updates, why=progress.ended)
            self.reporting(progress.ended)

    def log_stop(self, progress: Progress, signal: int) -> None:
        """Log that the training stopped at a signal, after it saved."""
        if self.writes:
            self.folder.log("stopped", progress.updates, signal=signal)


def describe_end(progress: Progress, length: Length) -> str:
    """Return a line about a training that has ended."""
    more = "" if length.is_over(progress) else "; with a larger bound and --allow-changes it goes on"
    return f"nothing is left to do: {progress.ended}{more}"


def describe_resumption(progress: Progress, length: Length, changes: Sequence[Change]) -> str:
    """Return a line about the place where a training resumes, and what changed since it stopped."""
    seen, every = (count * length.batch_size for count in (progress.step, length.steps))
    state = (
        f"changed: {listed([change.text for change in changes])}"
        if changes
        else "configuration unchanged, data unchanged"
    )
    where = f"epoch {progress.epoch + 1} of {length.epochs}, step {progress.step} of {length.steps}"
    if length.schedule.unit == "iteration":
        where = f"{length.reached(progress)} of {length.schedule.length}, {where}"
    return f"resuming at {where}, data position {seen:,} of {every:,}; {state}"
