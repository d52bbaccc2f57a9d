"""The moving average of the weights, beside the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .sharding import part_like


class Average:
    """An exponential moving average of a model's parameters (Polyak and Juditsky 1992).

    The first steps count more than `decay` says, so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Take in the weights after `updates` optimiser steps, all of them in one call."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        averages, weights = tuple(self.weights.values()), tuple(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from saved averages."""
        for name, value in self.weights.items():
            value.copy_(part_like(weights[name], value))

    @contextmanager
    def swapped_in(self, model: nn.Module) -> Iterator[None]:
        """Inside, the model has the averaged weights; afterwards its own again, to the bit."""
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            average = self.weights[name]
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)
