"""The dry run of a training: all that can be known without one step; nothing is written."""

from typing import TYPE_CHECKING

from .console import block, line
from .launch import started
from .recipes import settings

if TYPE_CHECKING:
    from .train import Order


def rehearsed(order: "Order") -> int:
    """Find data and weights as the training would, and say what it would be; the exit code.

    Raises:
        DataError, UsageError, EnvironmentProblem: what the training would fail for before its first step.
    """
    import torch

    from .. import api
    from ..training.header import header
    from ..training.job import Plan

    job = api.prepared(order.recipe, order.data)
    plan = Plan.of(order.recipe.run, max(order.processes, started()))
    steps = plan.steps(job.loader(plan.micro_batch))
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    line(f"{job.title}: {order.recipe.schedule.epochs} epochs of {steps} steps")
    for each in header(job, order.recipe, plan, found or torch.device("cpu"), order.out):
        line(each)
    block(settings(order.recipe))
    line("dry run, nothing was written")
    return 0
