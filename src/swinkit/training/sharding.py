"""A model whose weights are sharded among the processes, by torch's FSDP2: each has a part of every one.

Such a part is a `DTensor`. All here leaves whole tensors as they are, so that the loop need not ask.
"""

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..settings.run import Run
from ..tasks.task import Task
from .blocks import blocks, wrap_blocks
from .exchange import processes


def placed(task: Task, device: torch.device, run: Run) -> Task:
    """`task` itself on `device`, recomputed and compiled as the recipe says; or such a copy, sharded."""
    sharded = run.sharding == "full"
    placed = (copy.deepcopy(task) if sharded else task).to(device)
    wrap_blocks(placed, checkpointing=run.checkpointing, compiling=run.compile)
    if sharded:
        shard(placed, device)
    return placed


def shard(task: Task, device: torch.device) -> None:
    """Leave to each process its part of every weight: block by block, and of the rest as one.

    A block's weights are whole only while it computes, those of the rest while the task does: whoever looks
    from outside sees parts, always.
    """
    from torch.distributed.device_mesh import init_device_mesh  # seconds, for those only who need them
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes(),))
    for module in (*blocks(task), task):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)


def kept_here(task: Task) -> int:
    """Of how many parameters this process keeps numbers: all, or its parts."""
    every: list[Any] = list(task.parameters())
    return sum((each.to_local() if is_part(each) else each).numel() for each in every)


def is_part(value: Any) -> bool:
    """Whether it is a part of a tensor; asked without importing `DTensor`, which takes seconds."""
    return hasattr(value, "full_tensor")


@torch.no_grad()
def gathered(value: Any, *, kept: bool = True) -> Any:
    """Parts are made whole, on the CPU, in nested dicts and lists; all processes must call this.

    Unless it is `kept`, this process only gives, and gets None for each such tensor.
    """
    if isinstance(value, dict):
        return {name: gathered(each, kept=kept) for name, each in value.items()}
    if isinstance(value, list):
        return [gathered(each, kept=kept) for each in value]
    if not is_part(value):
        return value
    whole = value.full_tensor()
    return whole.cpu() if kept else None


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, if `like`, of the same shape, is a part; else the tensor."""
    if not is_part(like) or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    part: Any = like
    whole = value.to(like.device)
    return distribute_tensor(whole, part.device_mesh, part.placements, src_data_rank=None)


@torch.no_grad()
def bring_home(task: Task, original: Task) -> None:
    """Give `original` the weights of `task`, if that is a copy of it; all processes must call this."""
    if task is not original:
        for own, part in zip(original.parameters(), task.parameters(), strict=True):
            own.copy_(gathered(part))


def clipped(parameters: Iterable[Tensor], most: float | None) -> float:
    """Clip the gradient's norm, over all parameters and processes, to `most`, if it is given; what it was."""
    return gathered(nn.utils.clip_grad_norm_(parameters, math.inf if most is None else most)).item()
