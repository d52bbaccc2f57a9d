"""Parallelism, compilation and recomputation, applied from outside to single-device model code.

From the inside outwards: on a GPU a block's attention is fused, then the block is recomputed in backward,
then compiled, and then, with run.sharding=full, its weights are sharded among the processes by torch's FSDP2.
A process then holds its part of every weight, which is a `DTensor`; all functions leave whole tensors as they
are, so that the loop need not ask.
"""

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..core.block import Block
from ..engine.gpu import attach as fused
from ..errors import EnvironmentProblem
from ..settings.run import Run
from ..tasks.task import Task
from .distributed import world_size


def blocks(model: nn.Module) -> Iterator[Block]:
    """Yield every residual block."""
    return (module for module in model.modules() if isinstance(module, Block))


def wrap_blocks(model: nn.Module, *, checkpointing: bool, compiling: bool) -> None:
    """Fuse, recompute in backward, compile, in this order; the names of weights stay as they are."""
    fused.attach_kernels(model)
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
    """Remove the wrappers of `wrap_blocks`."""
    fused.detach_kernels(model)
    for block in blocks(model):
        vars(block).pop("forward", None)
        block._compiled_call_impl = None  # noqa: SLF001  torch has no public way back


@contextmanager
def explain_compiler_failures(expected: bool) -> Iterator[None]:
    """Turn a failure of the compiler, where one is `expected` to work inside, into one line.

    Raises:
        EnvironmentProblem: compiling failed, as it does without a C++ compiler.
    """
    try:
        yield
    except compiler_failures(expected) as error:
        reason = str(error).splitlines()[0]
        raise EnvironmentProblem(
            f"run.compile needs a C++ compiler, such as g++, or must be left out: {reason}"
        ) from None


def compiler_failures(expected: bool) -> tuple[type[Exception], ...]:
    """Return the errors of torch's compiler; imported only if `expected`, since that takes seconds."""
    if not expected:
        return ()
    from torch._dynamo.exc import BackendCompilerFailed

    return (BackendCompilerFailed,)


def place(task: Task, device: torch.device, run: Run) -> Task:
    """Move `task` to `device`, recomputed and compiled by the recipe; with sharding, such a copy of it."""
    sharded = run.sharding == "full"
    placed = (copy.deepcopy(task) if sharded else task).to(device)
    wrap_blocks(placed, checkpointing=run.checkpointing, compiling=run.compile)
    if sharded:
        shard(placed, device)
    return placed


def shard(task: Task, device: torch.device) -> None:
    """Shard the weights among the processes: block by block, and the rest as one.

    A block's weights are whole only while it computes, the rest only while the task does; from outside, they
    are always parts. Buffers stay whole in every process.
    """
    from torch.distributed.device_mesh import init_device_mesh  # seconds, for those only who need them
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world_size(),))
    for module in (*blocks(task), task):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)


def count_local_parameters(task: Task) -> int:
    """Return how many numbers of the parameters this process holds: all, or its parts."""
    every: list[Any] = list(task.parameters())
    return sum((each.to_local() if is_shard(each) else each).numel() for each in every)


def is_shard(value: Any) -> bool:
    """Return whether it is a part of a tensor, without importing `DTensor`, which takes seconds."""
    return hasattr(value, "full_tensor")


@torch.no_grad()
def gather_whole(value: Any, *, kept: bool = True) -> Any:
    """Return nested dicts and lists with parts made whole, on the CPU; all processes must call this.

    Unless `kept`, this process only gives its parts, and gets None for each such tensor.
    """
    if isinstance(value, dict):
        return {name: gather_whole(each, kept=kept) for name, each in value.items()}
    if isinstance(value, list):
        return [gather_whole(each, kept=kept) for each in value]
    if not is_shard(value):
        return value
    whole = value.full_tensor()
    return whole.cpu() if kept else None


def shard_like(value: Tensor, like: Tensor) -> Tensor:
    """Return this process's part of a whole tensor if `like`, of the same shape, is one; else the tensor."""
    if not is_shard(like) or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    part: Any = like
    whole = value.to(like.device)
    return distribute_tensor(whole, part.device_mesh, part.placements, src_data_rank=None)


@torch.no_grad()
def copy_weights_back(task: Task, original: Task) -> None:
    """Give `original` the weights and buffers of `task`, if that is a copy; all processes must call this."""
    if task is not original:
        ours, theirs = ([*each.parameters(), *persistent_buffers(each).values()] for each in (original, task))
        for own, part in zip(ours, theirs, strict=True):
            own.copy_(gather_whole(part))


def persistent_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that are saved with a model, such as the statistics of batch norm."""
    buffers = dict(model.named_buffers())
    saved = model.state_dict() if buffers else {}
    return {name: buffer for name, buffer in buffers.items() if name in saved}


def clip_gradient(parameters: Iterable[Tensor], most: float | None) -> float:
    """Clip the norm of the gradient over all processes to `most`, if given; return the norm."""
    return gather_whole(nn.utils.clip_grad_norm_(parameters, math.inf if most is None else most)).item()
