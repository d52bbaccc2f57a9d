"""The exponential moving average (EMA) of the weights, beside the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .parallelize import persistent_buffers, shard_like


class Average:
    """The EMA of a model's parameters and buffers (Polyak and Juditsky 1992).

    The first steps count more than `decay` says, so that the random start is soon forgotten. Buffers of
    integers, such as counts of batches, are copied.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in averaged_tensors(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Average in the weights after `updates` optimiser steps, all of them in one call."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        weights = dict(model.named_parameters())
        averages = [self.weights[name] for name in weights]
        torch._foreach_lerp_(averages, tuple(weights.values()), 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for name, buffer in persistent_buffers(model).items():  # which are whole where weights are sharded
            if buffer.is_floating_point():
                self.weights[name].lerp_(buffer, 1 - decay)
            else:
                self.weights[name].copy_(buffer)

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from saved averages."""
        for name, value in self.weights.items():
            value.copy_(shard_like(weights[name], value))

    @contextmanager
    def swap_in(self, model: nn.Module) -> Iterator[None]:
        """Give the model the averaged weights inside, and its own again afterwards, to the bit."""
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        for name, value in averaged_tensors(model).items():
            average = self.weights[name]
            own = value.clone()
            value.copy_(average)
            average.copy_(own)


def averaged_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all that is averaged: the parameters, then the buffers that are saved with the model."""
    return {**dict(model.named_parameters()), **persistent_buffers(model)}
