"""The moving average of the weights, beside the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .parallel import part_like


class Average:
    """An exponential moving average of a model's parameters (Polyak and Juditsky 1992).

    The first steps count more than `decay` says, so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Take in the weights after `updates` optimiser steps."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        for average, weight in zip(self.weights.values(), model.parameters(), strict=True):
            average.lerp_(weight, 1 - decay)

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from saved averages."""
        for name, value in self.weights.items():
            value.copy_(part_like(weights[name], value))

    @contextmanager
    def shown(self, model: nn.Module) -> Iterator[None]:
        """Inside, the model has the averaged weights; afterwards its own again, to the bit."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    @torch.no_grad()
    def _exchange(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            average = self.weights[name]
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)
