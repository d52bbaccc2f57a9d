"""A classifier: backbone, head, and the way from a picture to named classes.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor

from ...core.backbone import Swin
from ...data.images import Picture
from ...data.preprocess import Preprocess
from ...errors import DataError, UsageError
from ...heads.classify import ClassificationHead
from ...models.config import family_of
from ..observed import Observed
from ..predictor import answered, evaluating, require_pictures
from ..results import Classification, best
from ..task import HELD_OUT_LOSS, Task
from .data import Batch
from .losses import balance, cross_entropy
from .predictions import Answers


class Classifier(Task):
    """(B, in_channels, *P) -> (B, K) logits; `predict` takes pictures and answers with names."""

    name = "classification"

    def __init__(
        self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess, *, smoothing: float = 0.0
    ):
        super().__init__()
        self.backbone = backbone
        std = 0.01 if family_of(backbone.spec) == "video" else 0.02
        self.head = ClassificationHead(backbone.spec.widths[-1], len(labels), std=std)
        self._labels = tuple(labels)
        self.preprocess = preprocess
        self.smoothing = smoothing

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, by index."""
        return self._labels

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, in_channels, *P) normalised -> (B, K) logits."""
        return self.head(self.backbone(pixels)[-1])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The cross-entropy of one training batch; of a Swin-MoE, also how unevenly it chose its experts."""
        loss = cross_entropy(self(batch.pixels), batch.targets, self.smoothing)
        return {"cross_entropy": loss, **balance(self.backbone)}

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        """Return a record of the `Answers` for each picture of a batch."""
        logits = self(batch.pixels.to(self.head.classifier.weight.dtype))
        return Observed(records=Answers.of(logits, batch.targets).records)

    def scores(self, observed: Observed) -> dict[str, float]:
        """Return `top1` and, of more than five classes, `top5`, in [0, 1], and the mean cross-entropy."""
        answers = Answers.of_records(observed.records)
        return {**answers.accuracy(len(self._labels)).shares, HELD_OUT_LOSS: answers.loss}

    @overload
    def predict(self, inputs: Picture, *, top: int = 5, batch_size: int = 8) -> Classification: ...

    @overload
    def predict(
        self, inputs: list[Any] | tuple[Any, ...], *, top: int = 5, batch_size: int = 8
    ) -> list[Classification]: ...

    @overload
    def predict(
        self, inputs: Iterator[Picture], *, top: int = 5, batch_size: int = 8
    ) -> Iterator[Classification]: ...

    def predict(self, inputs: Any, *, top: int = 5, batch_size: int = 8) -> Any:
        """Pictures -> what they show: one result for one; for a list a list, for an iterator an iterator.

        A picture is a path, the bytes of a file, a PIL image, a uint8 array (h, w, 3) or a uint8 tensor
        (3, h, w), RGB. Every result keeps its picture, so give many pictures as an iterator: it holds
        `batch_size` of them at a time.

        Raises:
            ImageError: a picture cannot be read; `data.images.load_image` and `answer` let one pass over it.
            UsageError: something else was given, or this model takes no pictures.
        """
        self._check_can_answer(top)
        return answered(inputs, partial(self.answer, top=top), batch_size)

    def answer(self, images: Sequence[Tensor], names: Sequence[str], *, top: int = 5) -> list[Classification]:
        """One batch of (3, h, w) uint8, of any sizes -> their results. No dropout, no gradients.

        Raises:
            DataError: the scores are not finite: the weights are damaged, or overflow in half precision.
            UsageError: this model takes no pictures.
        """
        self._check_can_answer(top)
        weight = self.head.classifier.weight
        fitted = torch.stack([self.preprocess.fit(image) for image in images])
        with evaluating(self), torch.inference_mode():
            pixels = self.preprocess.normalise(fitted.to(weight.device)).to(weight.dtype)
            probabilities = self(pixels).float().softmax(-1).cpu()
        if not probabilities.isfinite().all():
            raise DataError("the model's scores are not finite: its weights are damaged, or overflow in fp16")
        results = []
        for image, name, row in zip(images, names, probabilities, strict=True):
            labels, scores = best(self._labels, row, top)
            height, width = image.shape[1:]
            results.append(
                Classification(name=name, size=(height, width), labels=labels, scores=scores, image=image)
            )
        return results

    def _check_can_answer(self, top: int) -> None:
        if top < 1:
            raise UsageError(f"top: expected a number of answers of at least 1, got {top}")
        require_pictures(self.backbone.spec)
