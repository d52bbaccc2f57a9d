"""A task: what a training loop and a user need from a model.

Pure torch, no trainer inside: any loop can train a task, and the loop knows a task by these methods alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from ..core.backbone import Swin
from ..data.preprocess import Preprocess
from .observed import Observed

HELD_OUT_LOSS = "val_loss"  # the score that is the mean loss of the held-out pictures


class Task(nn.Module, ABC):
    """One problem: what to minimise, how to score, how to answer."""

    name: ClassVar[str]  # its row in `registry.TASKS`
    table_resize: ClassVar[str | None] = None  # how another task carries bias tables to other windows
    backbone: Swin
    preprocess: Preprocess

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return named losses of one training batch, already weighted; the loop sums them.

        Weights must be used by calling the task, `self(...)`, because where they are shared out among
        processes they are whole only inside that call.
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
    def labels(self) -> Sequence[str]:
        """Names of the classes, by index; () where there are none."""
        return ()
