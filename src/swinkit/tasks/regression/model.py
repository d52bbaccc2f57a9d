"""A model that answers about a picture with numbers.

Shapes: B batch, P pixels, K values.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch.nn.functional as F
from torch import Tensor

from ...core.backbone import Swin
from ...data.preprocess import Preprocess
from ...data.sample import Sample
from ...errors import require
from ...files.contents import State
from ..observed import Observed
from ..task import HELD_OUT_LOSS
from ..whole_pictures.model import PictureModel
from .metrics import NumberScores
from .results import Measurement
from .settings import Error

LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss, "huber": F.huber_loss}


class Regression(PictureModel[Measurement]):
    """(B, in_channels, *P) -> (B, K) numbers in the units of the data.

    The head works in standard deviations `std` from `mean`, (K,) each, which are those of the training data,
    so that values of any unit are learned alike. The loss is in these units, too.
    """

    name = "regression"
    problem = "regression"
    loss_name = "error"

    def __init__(
        self,
        backbone: Swin,
        labels: Sequence[str],
        preprocess: Preprocess,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        error: Error = "huber",
    ):
        super().__init__(backbone, labels, preprocess)
        count = len(self.labels)
        self.mean = (0.0,) * count if mean is None else tuple(mean)
        self.std = (1.0,) * count if std is None else tuple(std)
        require(len(self.mean) == count, "mean", self.mean, f"a number for each of {count} values")
        spread = len(self.std) == count and min(self.std) > 0
        require(spread, "std", self.std, f"above 0 for each of {count} values")
        require(error in get_args(Error), "error", error, f"one of {', '.join(get_args(Error))}")
        self.error: Error = error

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the numbers: (B, in_channels, *P) normalised -> (B, K)."""
        outputs = super().forward(pixels)
        return outputs * outputs.new_tensor(self.std) + outputs.new_tensor(self.mean)

    def plain_tensors(self, state: State) -> State:
        """Return `state` with `mean` and `std` in the head, as other libraries need it."""
        weight, bias = (state[f"head.classifier.{name}"] for name in ("weight", "bias"))
        std, mean = weight.new_tensor(self.std), bias.new_tensor(self.mean)
        return {
            **state,
            "head.classifier.weight": weight * std[:, None],
            "head.classifier.bias": bias * std + mean,
        }

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean error in standard deviations of the training data."""
        std = outputs.new_tensor(self.std)
        return LOSSES[self.error](outputs / std, targets.to(outputs.dtype) / std)

    def scores(self, observed: Observed) -> dict[str, float]:
        """Return `r2`, `mae` and `rmse`, the mean over the values, and the loss."""
        answers, targets = self.observed(observed)
        loss = self.loss(answers, targets).item()
        return {**NumberScores(answers, targets).scores, HELD_OUT_LOSS: loss}

    def result(self, sample: Sample, outputs: Tensor, options: Mapping[str, Any]) -> Measurement:  # noqa: ARG002  there are none
        """Return the numbers with their names."""
        (height, width), values = sample.image.shape[1:], tuple(outputs.tolist())
        return Measurement(
            name=sample.id, size=(height, width), labels=self.labels, values=values, image=sample.image
        )
