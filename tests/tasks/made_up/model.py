"""A model that finds up to three boxes with labels; it has buffers, and takes images of any sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from swinkit.core.backbone import Swin
from swinkit.data.fitting import stack_padded
from swinkit.data.images import ImageError
from swinkit.data.preprocess import Preprocess
from swinkit.data.sample import Sample
from swinkit.tasks.observed import Observed
from swinkit.tasks.results import Result
from swinkit.tasks.task import Task, evaluating

from .data import Batch
from .settings import BoxOptions

SLOTS = 3  # boxes that are predicted for an image; the class after the last label is none


@dataclass(frozen=True, kw_only=True)
class Found(Result):
    boxes: tuple[tuple[float, ...], ...]  # left, top, right, bottom in pixels of the original
    labels: tuple[str, ...]

    def __str__(self):
        return f"{self.name}  {', '.join(self.labels) or 'nothing'}"

    def plot(self):
        return Image.new("RGB", (8, 8))

    def to_json(self):
        return {**super().to_json(), "boxes": [list(box) for box in self.boxes], "labels": list(self.labels)}


class BoxFinder(Task[Found]):
    name = "made-up"
    ranked_loss = "error"
    predict_options = BoxOptions

    def __init__(self, backbone: Swin, labels: Sequence[str], preprocess: Preprocess):
        super().__init__()
        self.backbone, self._labels, self.preprocess = backbone, tuple(labels), preprocess
        self.norm = nn.BatchNorm2d(backbone.spec.widths[-1])
        self.head = nn.Linear(backbone.spec.widths[-1], SLOTS * (4 + len(labels) + 1))

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, H, W) -> boxes (B, 3, 4) in fractions of an image's sides, logits (B, 3, K + 1)."""
        features = self.norm(self.backbone(pixels)[-1].movedim(-1, 1))
        slots = self.head(features.mean((2, 3))).unflatten(1, (SLOTS, -1))
        return slots[..., :4].sigmoid(), slots[..., 4:]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        boxes, logits = self(batch.pixels)
        wanted = torch.full(logits.shape[:2], len(self._labels), device=logits.device)
        errors = [boxes.sum() * 0]
        for i, labels in enumerate(batch.labels):
            wanted[i, : len(labels)] = labels
            errors.append((boxes[i, : len(labels)] - fractions(batch, i)).abs().sum())
        return {
            "l1": torch.stack(errors).sum() / wanted.numel(),
            "labels": F.cross_entropy(logits.flatten(0, 1), wanted.flatten()),
        }

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        """Count the confusion of labels, and record the boxes of each image, of any number."""
        boxes, logits = self(batch.pixels)
        confusion = torch.zeros(len(self._labels), len(self._labels) + 1, dtype=torch.long)
        records = {}
        for i, labels in enumerate(batch.labels):
            for label, found in zip(labels.tolist(), logits[i].argmax(-1).tolist(), strict=False):
                confusion[label, found] += 1
            error = (boxes[i, : len(labels)] - fractions(batch, i)).abs().mean(1).double()
            records[i] = {"boxes": boxes[i, : len(labels)], "errors": error.tolist()}
        return Observed(counts={"confusion": confusion}, records=records)

    def scores(self, observed: Observed) -> dict[str, float]:
        errors = [error for record in observed.records.values() for error in record["errors"]]
        confusion = observed.counts["confusion"]
        near = sum(error < 0.2 for error in errors) / max(1, len(errors))
        right = int(confusion.diagonal().sum()) / max(1, int(confusion.sum()))
        return {"near": near, "error": sum(errors) / max(1, len(errors)), "right": right}

    def read(self, source: Any, name: str) -> Sample:
        """Read an array of a .npy file too."""
        if Path(name).suffix != ".npy":
            return super().read(source, name)
        try:
            return super().read(np.load(source), name)
        except (OSError, ValueError) as error:
            raise ImageError(name, str(error)) from None

    def answer(self, samples: Sequence[Sample], *, boxes: int = SLOTS) -> list[Found]:
        fitted, placements = zip(*map(self.preprocess.fit_sample, samples), strict=True)
        pixels = stack_padded([self.preprocess.normalise(sample.image) for sample in fitted], multiple=8)
        with evaluating(self), torch.inference_mode():
            found, logits = self(pixels)
        results = []
        for i, (sample, placement) in enumerate(zip(samples, placements, strict=True)):
            classes = logits[i].argmax(-1)
            known = (classes < len(self._labels)).nonzero()[:boxes, 0]
            height, width = placement.fitted
            original = placement.undo_boxes(found[i, known] * torch.tensor([width, height, width, height]))
            names = tuple(self._labels[k] for k in classes[known].tolist())
            placed = tuple(map(tuple, original.tolist()))
            results.append(Found(name=sample.id, size=placement.original, boxes=placed, labels=names))
        return results


def fractions(batch: Batch, place: int) -> Tensor:
    """(n, 4) the boxes of an image of a batch in fractions of its sides."""
    height, width = batch.sizes[place]
    boxes = batch.boxes[place].as_subclass(Tensor)
    return boxes / torch.tensor([width, height, width, height], device=boxes.device)
