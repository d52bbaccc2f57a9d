"""The timed workloads: a forward pass or a training step, in plain PyTorch, the same for every library.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .cases import Case
from .inputs import draw_pixels, draw_targets

LEARNING_RATE = 1e-4
Call = Callable[[], Tensor]


def workload_of(model: nn.Module, case: Case) -> "Inference | TrainingStep":
    """Return the workload of a case for a model that gives (B, K) logits and has its weights in fp32.

    A GPU computes in bf16: the whole model for inference, by autocast for training.
    """
    if case.is_training:
        return TrainingStep(model.to(case.device), case)
    return Inference(model.to(case.device, torch.float32 if case.device == "cpu" else torch.bfloat16), case)


class Inference:
    """A forward pass without gradients -> (B, K) logits."""

    def __init__(self, model: nn.Module, case: Case):
        self.model = model.eval()
        parameter = next(model.parameters())
        self.pixels = draw_pixels(case).to(parameter.device, parameter.dtype)

    def __call__(self) -> Tensor:
        """Compute (B, K) logits."""
        with torch.inference_mode():
            return self.model(self.pixels)

    def compile_all(self) -> None:
        """Run everything once, so that `torch.compile` has compiled it."""
        self()


class TrainingStep:
    """A training step -> () its loss. Every call learns from the same batch."""

    def __init__(self, model: nn.Module, case: Case):
        self.model = model.train()
        self.device = case.device
        self.pixels = draw_pixels(case).to(case.device)
        self.targets = draw_targets(case).to(case.device)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)

    def __call__(self) -> Tensor:
        """Make a step; return the () loss before it."""
        loss = self.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss

    def backward(self) -> Tensor:
        """Compute gradients; return the () loss."""
        with self.precision():
            loss = cross_entropy(self.model(self.pixels), self.targets)
        loss.backward()
        return loss.detach()

    def compile_all(self) -> None:
        """Run everything once, so that `torch.compile` has compiled it, without learning."""
        self.backward()
        self.optimiser.zero_grad()

    def precision(self) -> AbstractContextManager[object]:
        """Return the context of the forward pass."""
        return nullcontext() if self.device == "cpu" else torch.autocast(self.device, torch.bfloat16)


def synchronize(device: str) -> None:
    """Wait until a GPU has finished."""
    if device != "cpu":
        torch.cuda.synchronize()
