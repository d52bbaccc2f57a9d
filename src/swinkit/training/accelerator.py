"""Devices, precision, loss scaling and data parallelism: the only file that imports Accelerate."""

import atexit
import os
from typing import TYPE_CHECKING

import torch
from torch import distributed as dist
from torch import nn

from ..errors import EnvironmentProblem, UsageError
from ..runs.folder import RunFolder
from ..runs.trackers import require_trackers
from ..settings.run import Run
from .distributed import destroy_group

if TYPE_CHECKING:
    from accelerate import Accelerator


def accelerator_of(run: Run, folder: RunFolder) -> "Accelerator":
    """Return the accelerator for the devices and processes that there are.

    Raises:
        EnvironmentProblem: Accelerate or a tracker is missing, or this device cannot do the precision.
        UsageError: Accelerate is set up to shard the weights itself.
    """
    require_trackers(run.trackers)
    for other in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{other}", "").lower() == "true":
            raise UsageError(
                f"Accelerate is set up for {other}, which is not used here; leave it out of its launch or "
                "configuration, and choose run.sharding=full"
            )
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise EnvironmentProblem("training needs Accelerate: pip install 'swinkit[train]'") from None
    # It keeps one state for the whole process; a second training in it may be in another precision.
    AcceleratorState._reset_state()  # noqa: SLF001
    precision = "no" if run.precision == "fp32" else run.precision
    alone = not dist.is_initialized()
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),  # else it overlooks that it is one of several processes
        log_with=list(run.trackers) or None,
        project_dir=folder.path / "tensorboard",  # the other trackers make no use of it
    )
    if alone and dist.is_initialized():
        # Only at the end of the process, since it may train again, and torchrun lets it join but once.
        atexit.register(destroy_group)
    if run.precision == "fp16" and accelerator.scaler is None:
        raise EnvironmentProblem(
            f"run.precision=fp16 is for GPUs, and this trains on {accelerator.device}; try bf16 or fp32"
        )
    return accelerator


def wrap_in_ddp(accelerator: "Accelerator", objective: nn.Module, *, sharded: bool) -> nn.Module:
    """Return `objective` wrapped by DDP if there are other processes; one that FSDP2 has sharded needs none.

    DDP must not broadcast buffers before a forward, because they are averaged after every step, and a
    broadcast would drop the other processes' part.
    """
    wrapped = accelerator.prepare_model(objective, device_placement=False, evaluation_mode=sharded)
    if isinstance(wrapped, nn.parallel.DistributedDataParallel):
        wrapped.broadcast_buffers = False  # as an argument, torch 2.15 warns of it
    return wrapped
