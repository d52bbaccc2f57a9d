"""What is done to the blocks of a model from outside, so that model code stays single-device code.

From the inside outwards: on a GPU its attention is fused, then the block is recomputed in backward, then
compiled, and then, where `sharding.py` does so, its weights are sharded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..core.block import Block
from ..engine.gpu import attach as fused
from ..errors import EnvironmentProblem


def blocks(model: nn.Module) -> Iterator[Block]:
    """Every residual block."""
    return (module for module in model.modules() if isinstance(module, Block))


def wrap_blocks(model: nn.Module, *, checkpointing: bool, compiling: bool) -> None:
    """Fuse, recompute in backward, compile, in this order; the names of weights stay as they are."""
    fused.attach(model)
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
    fused.detach(model)
    for block in blocks(model):
        vars(block).pop("forward", None)
        block._compiled_call_impl = None  # noqa: SLF001  torch has no public way back


@contextmanager
def compiler_explained(expected: bool) -> Iterator[None]:
    """A compiler that fails, where one is `expected` to work inside, in one line.

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
    """What torch raises where it cannot compile; imported only where it may, since that takes seconds."""
    if not expected:
        return ()
    from torch._dynamo.exc import BackendCompilerFailed

    return (BackendCompilerFailed,)
