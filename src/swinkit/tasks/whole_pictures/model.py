"""Models that answer about a whole picture with K numbers, each with a name.

Shapes: B batch, P pixels, K values, N pictures.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from ...data.sample import Sample
from ...errors import DataError
from ..classification.data import Batch
from ..classification.losses import balance
from ..classification.model import LabelledModel
from ..observed import Observed
from ..results import Result
from ..task import NOT_FINITE

ResultT = TypeVar("ResultT", bound=Result)


class PictureModel(LabelledModel[ResultT]):
    """(B, in_channels, *P) -> (B, K); a subclass says what the numbers mean, and how they are learned."""

    problem: ClassVar[str]  # as transformers calls it
    loss_name: ClassVar[str]

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of outputs (B, K) against targets (B, K), in at least fp32."""

    @abstractmethod
    def result(self, sample: Sample, outputs: Tensor, options: Mapping[str, object]) -> ResultT:
        """Return the result for a sample with outputs (K,), fp32 on the CPU."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of one training batch and, of a Swin-MoE, its load-balancing loss."""
        loss = self.loss(wide(self(batch.pixels)), batch.targets)
        return {self.loss_name: loss, **balance(self.backbone)}

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        """Return outputs and targets, 2 K numbers, for each picture of a batch."""
        outputs = wide(self(batch.pixels.to(self.input_dtype)))
        rows = torch.cat((outputs.double(), batch.targets.double()), dim=1)
        return Observed(records=dict(enumerate(rows.tolist())))

    def observed(self, observed: Observed) -> tuple[Tensor, Tensor]:
        """Return outputs and targets of everything observed: (N, K) float64 each, on the CPU."""
        rows = torch.tensor(list(observed.records.values()), dtype=torch.float64, device="cpu")
        outputs, targets = rows.reshape(-1, 2 * len(self.labels)).chunk(2, dim=1)
        return outputs, targets

    def answer(self, samples: Sequence[Sample], **options: object) -> list[ResultT]:
        """Return the result for each image of one batch, without dropout and gradients.

        Raises:
            DataError: outputs are not finite: the weights are damaged, or overflow in half precision.
            UsageError: the model takes no pictures, or its labels do not fit its outputs.
        """
        with torch.inference_mode():
            outputs = wide(self.compute(samples)).cpu()
        if not outputs.isfinite().all():
            raise DataError(NOT_FINITE)
        return [self.result(sample, row, options) for sample, row in zip(samples, outputs, strict=True)]


def wide(outputs: Tensor) -> Tensor:
    """Return the same numbers in at least fp32."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
