"""What a step minimises, and what is random in it."""

from typing import Any

import torch
from torch import Tensor, nn

from ..tasks.task import Task


class Objective(nn.Module):
    """A task as the function that is minimised, since processes are kept together in `forward` alone."""

    def __init__(self, task: Task):
        super().__init__()
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        """One batch -> the sum of its losses, a number in at least fp32."""
        losses = self.task.losses(batch).values()
        return torch.stack([loss.to(torch.promote_types(loss.dtype, torch.float32)) for loss in losses]).sum()


def seed_micro_batch(seed: int, epoch: int, number: int) -> None:
    """Drop-path and dropout follow from these alone: not from earlier steps, nor from the processes."""
    state = (seed * 1_000_003 + epoch) * 1_000_003 + number
    torch.manual_seed(state % 2**63)
