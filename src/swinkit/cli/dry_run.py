"""The dry run of a training: all that can be known without one step; nothing is written."""

from pathlib import Path

from ..settings.recipe import Recipe
from .console import block, line
from .launch import started
from .recipes import settings


def rehearsed(recipe: Recipe, data: Path, out: Path, processes: int) -> int:
    """Find data and weights as the training would, and say what it would be; the exit code.

    Raises:
        DataError, UsageError, EnvironmentProblem: what the training would fail for before its first step.
    """
    import torch

    from .. import api
    from ..runs.progress import Length
    from ..runs.trackers import require_trackers
    from ..training.batch_plan import Plan
    from ..training.summary import header

    require_trackers(recipe.run.trackers)
    job = api.prepared(recipe, data, out)
    plan = Plan.of(recipe.run, max(processes, started()))
    steps = plan.steps(job.loader(plan.micro_batch))
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    line(f"{job.title}: {Length.of(recipe, steps)}")
    for each in header(job, recipe, plan, found or torch.device("cpu"), out):
        line(each)
    block(settings(recipe))
    line("dry run, nothing was written")
    return 0
