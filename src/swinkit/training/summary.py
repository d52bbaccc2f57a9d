"""Summary at a training's start: model, data, machine and output folder."""

from pathlib import Path
from typing import Any

import torch

from ..data.loader import Loader
from ..runs.folder import CONFIG
from ..settings.recipe import Recipe
from ..tasks.task import Task
from .batch_plan import Plan
from .job import Job

WIDTH = 14  # of the names


def describe_training(
    job: Job,
    recipe: Recipe,
    plan: Plan,
    loader: Loader[Any],
    device: torch.device,
    folder: Path,
    *,
    resumed: bool = False,
) -> list[str]:
    """Return the lines of the summary; a resumed run goes on with its own weights."""
    rows = {
        "configuration": str(folder / CONFIG),
        **({"weights": "as this run left them"} if resumed else job.notes),
        "parameters": count_parameters(job.task),
        "batch": describe_batch(plan),
        **describe_left_out(plan, loader),
        "computes": f"{recipe.run.precision} on {describe_device(device)}",
    }
    return [row(name, text) for name, text in rows.items()]


def row(name: str, text: str) -> str:
    """Return a line of the summary."""
    return f"  {name:<{WIDTH}} {text}"


def describe_batch(plan: Plan) -> str:
    """Return the batch of a step as a product."""
    whole = plan.micro_batch * plan.group
    parts = (f"{plan.ranks} processes", plan.ranks), (f"{plan.accumulation} in turn", plan.accumulation)
    factors = [f"{plan.micro_batch} at a time", *(text for text, count in parts if count > 1)]
    return f"{whole} = {' x '.join(factors)}" if len(factors) > 1 else f"{whole}, all at a time"


def describe_left_out(plan: Plan, loader: Loader[Any]) -> dict[str, str]:
    """Return a row about the samples that no epoch's batches have room for, if they are 1 % or more."""
    left, samples = plan.left_out(loader), loader.sampler.length(loader.size)
    if left * 100 < samples:
        return {}
    size = plan.fitting(samples)
    better = f"; run.batch_size={size} leaves out {samples % size or 'none'}" if samples % size < left else ""
    return {"left out": f"{left} of {samples} in each epoch, others each time{better}"}


def count_parameters(task: Task) -> str:
    """Return the number of parameters, and of those that are frozen."""
    every = sum(each.numel() for each in task.parameters())
    frozen = sum(each.numel() for each in task.parameters() if not each.requires_grad)
    return f"{every:,}, {f'frozen {frozen / 1e6:.1f} of {every / 1e6:.1f} M' if frozen else 'all trained'}"


def describe_device(device: torch.device) -> str:
    """Describe a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = torch.get_num_threads()
    return f"the CPU, {count} thread{'s' * (count != 1)}" if device.type == "cpu" else str(device)
