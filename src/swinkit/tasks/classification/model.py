"""A classifier: backbone, head, and the way from a picture to named classes.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ...core.backbone import Swin
from ...data.fitting import stack_images
from ...data.preprocess import Preprocess
from ...data.sample import Sample
from ...errors import DataError, UsageError, require, require_texts
from ...heads.classify import ClassificationHead
from ...models.config import family_of
from ..observed import Observed
from ..results import Result
from ..task import HELD_OUT_LOSS, NOT_FINITE, Task, evaluating
from .data import Batch
from .losses import balance, cross_entropy
from .predictions import Answers
from .results import Classification, best
from .settings import ClassificationOptions

ResultT = TypeVar("ResultT", bound=Result)


class LabelledModel(Task[ResultT]):
    """(B, in_channels, *P) -> (B, K): backbone, head, and a label for each of the K outputs."""

    def __init__(
        self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess, *, head_std: float = 0.02
    ):
        super().__init__()
        self.backbone = backbone
        self.labels = labels
        self.head = ClassificationHead(backbone.spec.widths[-1], len(self.labels), std=head_std)
        self.preprocess = preprocess

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, by index."""
        return self._labels

    @labels.setter
    def labels(self, names: Sequence[str]) -> None:
        """Name the outputs, as after another layer took the place of `head.classifier`.

        Raises:
            UsageError: they are no list of texts.
        """
        self._labels = require_texts(names, "labels")

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the outputs: (B, in_channels, *P) normalised -> (B, K)."""
        return self.head(self.backbone(pixels)[-1])

    def compute(self, samples: Sequence[Sample]) -> Tensor:
        """Return the outputs (B, K) for images of any sizes, without dropout and gradients.

        Raises:
            UsageError: the model takes no pictures, or its labels do not fit its outputs.
        """
        self.require_inputs()
        fitted = stack_images([self.preprocess.fit(sample.image) for sample in samples])
        with evaluating(self), torch.inference_mode():
            pixels = self.preprocess.normalise(fitted.to(self.input_device)).to(self.input_dtype)
            outputs = self(pixels)
        require_a_label_each(outputs, self.labels)
        return outputs


class Classifier(LabelledModel[Classification]):
    """(B, in_channels, *P) -> (B, K) logits; `predict` takes pictures and answers with names."""

    name = "classification"
    predict_options = ClassificationOptions

    def __init__(
        self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess, *, smoothing: float = 0.0
    ):
        head_std = 0.01 if family_of(backbone.spec) == "video" else 0.02
        super().__init__(backbone, labels, preprocess, head_std=head_std)
        self.smoothing = smoothing
        self.focal_gamma: float | None = None
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)  # (K,) of a training alone

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of one training batch and, of a Swin-MoE, its load-balancing loss."""
        logits, rare = self(batch.pixels), (self.class_weights, self.focal_gamma)
        loss = cross_entropy(logits, batch.targets, self.smoothing, *rare)
        return {"cross_entropy": loss, **balance(self.backbone)}

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        """Return a record of the `Answers` for each picture of a batch."""
        logits = self(batch.pixels.to(self.input_dtype))
        return Observed(records=Answers.of(logits, batch.targets).records)

    def scores(self, observed: Observed) -> dict[str, float]:
        """Return `top1` and, of more than five classes, `top5`, in [0, 1], and the mean cross-entropy."""
        answers = Answers.of_records(observed.records)
        return {**answers.accuracy(len(self._labels)).shares, HELD_OUT_LOSS: answers.loss}

    def answer(self, samples: Sequence[Sample], *, top: int = 5) -> list[Classification]:
        """Return the best `top` classes of each image of one batch, without dropout and gradients.

        Raises:
            DataError: the scores are not finite: the weights are damaged, or overflow in half precision.
            UsageError: the model takes no pictures, or `top` is below 1.
        """
        require(top >= 1, "top", top, "1 or more")
        with torch.inference_mode():
            probabilities = self.compute(samples).float().softmax(-1).cpu()
        if not probabilities.isfinite().all():
            raise DataError(NOT_FINITE)
        results = []
        for sample, row in zip(samples, probabilities, strict=True):
            labels, scores = best(self._labels, row, top)
            image, (height, width) = sample.image, sample.image.shape[1:]
            results.append(
                Classification(
                    name=sample.id, size=(height, width), labels=labels, scores=scores, image=image
                )
            )
        return results


def require_a_label_each(outputs: Tensor, labels: Sequence[str]) -> None:
    """Raise UsageError unless there is a label for each of the outputs (B, K)."""
    if outputs.shape[1:] != (len(labels),):
        raise UsageError(
            f"the model has {outputs.shape[-1]} outputs, and its labels name {len(labels)}; name them by "
            "model.labels = [...]"
        )
