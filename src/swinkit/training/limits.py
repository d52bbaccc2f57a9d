"""What ends a training: all that was to be learned is, time or patience is over, or steps come to nothing."""

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from ..errors import DataError
from ..runs.progress import Length, Progress
from ..settings.run import Run
from ..tasks.observed import Observed

ANEW = "begin anew in another folder with a lower optimiser.lr"  # resumed, it would go on from bad weights


def why_over(progress: Progress, length: Length, run: Run) -> str:
    """Return the reason why training is over, or "" if it continues, as it does until it is evaluated."""
    if length.is_over(progress):
        return f"all {length.schedule.unit}s are done"
    if not progress.is_evaluated:
        return ""
    if run.patience is not None and progress.since_best >= run.patience:
        what = "evaluations" if length.interval != length.steps else "epochs"
        return f"{progress.since_best} {what} brought no better score"
    return f"the {run.hours:g} hours are over" if out_of_time(progress, run) else ""


def out_of_time(progress: Progress, run: Run) -> bool:
    """Whether it has trained for as long as it may."""
    return run.hours is not None and progress.seconds >= run.hours * 3600


def refuse_more(progress: Progress, run: Run) -> None:
    """Stop a training whose steps come to nothing.

    Raises:
        DataError: as many as `run.bad_steps` in a row were skipped.
    """
    if progress.skipped_in_row >= run.bad_steps:
        raise DataError(
            f"{run.bad_steps} steps in a row had no finite loss and gradient, up to epoch "
            f"{progress.epoch + 1}, step {progress.step}; log.jsonl of the run lists their samples; "
            f"look at these, or {ANEW}"
        )


def refuse_divergence(progress: Progress, length: Length, observed: Observed) -> None:
    """Stop a training whose weights have grown out of all bounds.

    Raises:
        DataError: there are records of held-out samples, and none of them is finite.
    """
    if observed.records and not any(map(is_finite, observed.records.values())):
        raise DataError(
            f"after {length.reached(progress)} the model has no finite answer to any held-out picture, with "
            f"{progress.skipped} steps skipped so far: learning has diverged; {ANEW}"
        )


def is_finite(record: Any) -> bool:
    """Return whether all numbers and tensors in a record, nested or not, are finite."""
    return all(
        bool(torch.as_tensor(leaf).isfinite().all())
        for leaf in tree_leaves(record)
        if isinstance(leaf, float | torch.Tensor)
    )
