"""The work that is timed: a forward pass, or a training step. Plain PyTorch, the same for every library.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .given import pixels, targets
from .rows import Row

RATE = 1e-4  # of learning
Call = Callable[[], Tensor]


def work_of(model: nn.Module, row: Row) -> "Answer | Learn":
    """What a row asks of a model whose answers are (B, K) logits; its weights must be in fp32.

    On a GPU it is computed in bf16: the whole model for answers, by autocast for learning.
    """
    if row.learns:
        return Learn(model.to(row.device), row)
    return Answer(model.to(row.device, torch.float32 if row.device == "cpu" else torch.bfloat16), row)


class Answer:
    """A forward pass without gradients -> (B, K)."""

    def __init__(self, model: nn.Module, row: Row):
        self.model = model.eval()
        parameter = next(model.parameters())
        self.pixels = pixels(row).to(parameter.device, parameter.dtype)

    def __call__(self) -> Tensor:
        """(B, K) logits."""
        with torch.inference_mode():
            return self.model(self.pixels)

    def rehearse(self) -> None:
        """Compute all that there is to compile."""
        self()


class Learn:
    """A training step -> () its loss. Every call learns from the same batch."""

    def __init__(self, model: nn.Module, row: Row):
        self.model = model.train()
        self.device = row.device
        self.pixels, self.targets = pixels(row).to(row.device), targets(row).to(row.device)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)

    def __call__(self) -> Tensor:
        """() the loss before the step."""
        loss = self.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss

    def backward(self) -> Tensor:
        """() the loss; leaves the gradients."""
        with self.precision():
            loss = cross_entropy(self.model(self.pixels), self.targets)
        loss.backward()
        return loss.detach()

    def rehearse(self) -> None:
        """Compute all that there is to compile, and learn nothing."""
        self.backward()
        self.optimiser.zero_grad()

    def precision(self) -> AbstractContextManager[object]:
        """Of the forward pass."""
        if self.device == "cpu":
            return nullcontext()
        return torch.autocast(self.device, torch.bfloat16)


def finished(device: str) -> None:
    """Wait for what a call has begun on a GPU."""
    if device != "cpu":
        torch.cuda.synchronize()
