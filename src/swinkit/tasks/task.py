"""What a task is: what a training loop and a user need from a model.

Pure torch, no trainer inside: any loop can train a task, and the loop knows tasks only by this.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .observed import Observed

HELD_OUT_LOSS = "val_loss"  # among the scores: the mean loss of the pictures that are watched


class Task(nn.Module, ABC):
    """One problem: what to minimise, how to score, how to answer."""

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Named losses of one training batch, already weighted; the loop sums them.

        Weights are used by calling the task, `self(...)`, alone: where they are shared out among processes,
        they are whole in there only.
        """

    @abstractmethod
    def observe(self, batch: Any) -> Observed:
        """Return what is to be scored of one validation batch; records are numbered by position in it."""

    @abstractmethod
    def scores(self, observed: Observed) -> dict[str, float]:
        """Return the metrics of all that was observed, the one to rank by first.

        What is comparable with the losses of training is called `HELD_OUT_LOSS`.
        """

    @abstractmethod
    def predict(self, inputs: Any) -> Any:
        """Files, arrays or tensors -> results in the user's units; a list in, a list out."""

    @property
    @abstractmethod
    def labels(self) -> Sequence[str]:
        """The names of the classes, by index."""
