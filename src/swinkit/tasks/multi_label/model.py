"""A model of several labels: each class has a probability by itself.

Shapes: B batch, P pixels, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ...core.backbone import Swin
from ...data.preprocess import Preprocess
from ...data.sample import Sample
from ...errors import require
from ..classification.results import best
from ..observed import Observed
from ..task import HELD_OUT_LOSS
from ..whole_pictures.model import PictureModel
from .metrics import LabelScores
from .results import LabelSet
from .settings import MultiLabelOptions


class MultiLabel(PictureModel[LabelSet]):
    """(B, in_channels, *P) -> (B, K) logits; `predict` answers with all classes from the threshold on."""

    name = "multi-label"
    problem = "multi_label_classification"
    loss_name = "binary_cross_entropy"
    predict_options = MultiLabelOptions

    def __init__(
        self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess, *, threshold: float = 0.5
    ):
        super().__init__(backbone, labels, preprocess)
        require(0 <= threshold <= 1, "threshold", threshold, "in [0, 1]")
        self.threshold = threshold
        self.smoothing = 0.0

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean binary cross-entropy; smoothing moves targets towards one half."""
        smooth = targets * (1 - self.smoothing) + self.smoothing / 2
        return F.binary_cross_entropy_with_logits(outputs, smooth)

    def scores(self, observed: Observed) -> dict[str, float]:
        """Return `mAP`, `f1` and `macro_f1`, in [0, 1], and the mean binary cross-entropy."""
        found = LabelScores(*self.observed(observed), self.threshold)
        return {**found.scores, HELD_OUT_LOSS: found.loss}

    def result(self, sample: Sample, outputs: Tensor, options: Mapping[str, Any]) -> LabelSet:
        """Return the classes that reach the threshold, and the most likely ones."""
        top, threshold = options.get("top", 5), options.get("threshold")
        threshold = self.threshold if threshold is None else threshold
        require(0 <= threshold <= 1, "threshold", threshold, "in [0, 1]")
        labels, scores = best(self.labels, outputs.sigmoid(), len(self.labels))
        shown = tuple(label for label, score in zip(labels, scores, strict=True) if score >= threshold)
        (height, width), image = sample.image.shape[1:], sample.image
        return LabelSet(
            name=sample.id,
            size=(height, width),
            shown=shown,
            labels=labels[:top],
            scores=scores[:top],
            image=image,
        )
