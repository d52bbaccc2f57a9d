"""What is done to a model from outside, block by block, so that model code stays single-device code.

From the inside outwards: a block is recomputed in backward, then compiled, then its weights are shared out
among the processes, by torch's FSDP2. What is shared out is a `DTensor`, of which this process has a part.
"""

import copy
import dataclasses
import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..core.block import Block
from ..tasks.task import Task
from .exchange import processes
from .recipe import Run


def placed(task: Task, device: torch.device, run: Run) -> Task:
    """`task` itself on `device`, recomputed and compiled as the recipe says; or such a copy, shared out."""
    shared = run.sharding == "full"
    placed = (copy.deepcopy(task) if shared else task).to(device)
    wrap_blocks(placed, checkpointing=run.checkpointing, compiling=run.compile)
    if shared:
        share_out(placed, device)
    return placed


def share_out(task: Task, device: torch.device) -> None:
    """Leave to each process its part of every weight: block by block, and of the rest as one.

    A block's weights are whole only while it computes, those of the rest while the task does: whoever looks
    from outside sees parts, always.
    """
    from torch.distributed.device_mesh import init_device_mesh  # seconds, for those only who need them
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes(),))
    for module in (*blocks(task), task):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)


def is_part(value: Any) -> bool:
    """Whether it is a tensor that is shared out; asked without importing `DTensor`, which takes seconds."""
    return hasattr(value, "full_tensor")


@torch.no_grad()
def gathered(value: Any, *, kept: bool = True) -> Any:
    """What is shared out is made whole, on the CPU, in nested dicts and lists; all processes must call this.

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
    """This process's part of a whole tensor, if `like`, of the same shape, is shared out; else the tensor."""
    if not is_part(like) or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    shared: Any = like
    whole = value.to(like.device)
    return distribute_tensor(whole, shared.device_mesh, shared.placements, src_data_rank=None)


@torch.no_grad()
def bring_home(task: Task, original: Task) -> None:
    """Give `original` the weights of `task`, if that is a copy of it; all processes must call this."""
    if task is not original:
        for own, shared in zip(original.parameters(), task.parameters(), strict=True):
            own.copy_(gathered(shared))


def shortened(parameters: Iterable[Tensor], most: float | None) -> float:
    """Shorten the gradient, over all parameters and processes, to `most`, if it is given; how long it was."""
    return gathered(nn.utils.clip_grad_norm_(parameters, math.inf if most is None else most)).item()


def blocks(model: nn.Module) -> Iterator[Block]:
    """Every residual block."""
    return (module for module in model.modules() if isinstance(module, Block))


def wrap_blocks(model: nn.Module, *, checkpointing: bool, compiling: bool) -> None:
    """Recompute in backward, compile, or both, in this order; the names of weights stay as they are."""
    if compiling:
        # All blocks share one function, which torch gives up compiling after the eighth that differs: by its
        # own numbers, in training and evaluation, for whole and for last batches.
        settings: Any = torch._dynamo.config  # noqa: SLF001
        enough = 4 * sum(1 for _ in blocks(model))
        settings.recompile_limit = max(settings.recompile_limit, enough)
    for block in blocks(model):
        if checkpointing:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        if compiling:
            block.compile()


def unwrap_blocks(model: nn.Module) -> None:
    """Undo `wrap_blocks`."""
    for block in blocks(model):
        vars(block).pop("forward", None)
        block._compiled_call_impl = None  # noqa: SLF001  torch has no public way back


def compiler_failures(compiling: bool) -> tuple[type[Exception], ...]:
    """What torch raises where it cannot compile; imported only where it may, since that takes seconds."""
    if not compiling:
        return ()
    from torch._dynamo.exc import BackendCompilerFailed

    return (BackendCompilerFailed,)


class Objective(nn.Module):
    """A task as the function that is minimised, since processes are kept together in `forward` alone."""

    def __init__(self, task: Task):
        super().__init__()
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        """One batch -> the sum of its losses, a number in at least fp32."""
        losses = self.task.losses(batch).values()
        return torch.stack([loss.to(torch.promote_types(loss.dtype, torch.float32)) for loss in losses]).sum()


def moved(batch: Any, device: torch.device) -> Any:
    """A batch, which is a tensor or a dataclass with tensors in it, on `device`."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    values = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    tensors = {name: moved(value, device) for name, value in values.items() if isinstance(value, Tensor)}
    return dataclasses.replace(batch, **tensors)


def seed_micro_batch(seed: int, epoch: int, number: int) -> None:
    """Drop-path and dropout follow from these alone: not from earlier steps, nor from the processes."""
    state = (seed * 1_000_003 + epoch) * 1_000_003 + number
    torch.manual_seed(state % 2**63)
