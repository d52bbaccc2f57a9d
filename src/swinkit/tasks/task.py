"""What a task is: the four things a training loop and a user need from a model.

Pure torch, no trainer inside: any loop can train a task, and the loop knows tasks only by this.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn


class Task(nn.Module, ABC):
    """One problem: what to minimise, how to score, how to answer."""

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Named losses of one training batch, already weighted; the loop sums them."""

    @abstractmethod
    def observe(self, batch: Any) -> None:
        """Add one validation batch to the metrics."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """The metrics of all batches since the last call, the one to rank by first; then start anew."""

    @abstractmethod
    def predict(self, inputs: Any) -> Any:
        """Files, arrays or tensors -> results in the user's units; a list in, a list out."""

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """The names of the classes, by index."""
