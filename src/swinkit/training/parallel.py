"""What is done to a model from outside, block by block, so that model code stays single-device code."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..core.block import Block
from ..tasks.task import Task


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
        """One batch -> the sum of its losses, a number."""
        return torch.stack([loss.float() for loss in self.task.losses(batch).values()]).sum()


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
