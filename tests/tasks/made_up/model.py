"""A model that finds one box in each picture; it has buffers, and takes images of any sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from swinkit.core.backbone import Swin
from swinkit.data.preprocess import Pipeline
from swinkit.data.sample import Sample
from swinkit.tasks.observed import Observed
from swinkit.tasks.results import Result
from swinkit.tasks.task import Task, evaluating

from .data import Batch


@dataclass(frozen=True, kw_only=True)
class Found(Result):
    box: tuple[float, float, float, float]  # left, top, right, bottom in pixels of the original

    def plot(self):
        return Image.new("RGB", (8, 8))

    def to_json(self):
        return {**super().to_json(), "box": list(self.box)}


class BoxFinder(Task[Found]):
    name = "made-up"

    def __init__(self, backbone: Swin, preprocess: Pipeline):
        super().__init__()
        self.backbone, self.preprocess = backbone, preprocess
        self.norm = nn.BatchNorm1d(backbone.spec.widths[-1])
        self.head = nn.Linear(backbone.spec.widths[-1], 4)

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        """Normalised images of any sizes -> (B, 4) boxes in fractions of the sides."""
        pooled = [self.backbone(image[None])[-1].flatten(1, -2).mean(1) for image in images]
        return self.head(self.norm(torch.cat(pooled))).sigmoid()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"l1": (self(batch.images) - self.fractions(batch)).abs().mean()}

    @torch.no_grad()
    def observe(self, batch: Batch) -> Observed:
        errors = (self(batch.images) - self.fractions(batch)).abs().mean(1).double()
        near = (errors < 0.2).sum()
        records = {i: {"error": error} for i, error in enumerate(errors.tolist())}
        return Observed(counts={"near": near.cpu()}, records=records)

    def scores(self, observed: Observed) -> dict[str, float]:
        errors = [record["error"] for record in observed.records.values()]
        return {"near": int(observed.counts["near"]) / len(errors), "error": sum(errors) / len(errors)}

    def answer(self, samples: Sequence[Sample], **_: Any) -> list[Found]:
        fitted, placements = zip(*map(self.preprocess.fit_sample, samples), strict=True)
        images = [self.preprocess.normalise(sample.image) for sample in fitted]
        with evaluating(self), torch.inference_mode():
            boxes = self(images)
        results = []
        for sample, placement, box in zip(samples, placements, boxes, strict=True):
            height, width = placement.fitted
            original = placement.undo_boxes(box * torch.tensor([width, height, width, height]))
            results.append(Found(name=sample.id, size=placement.original, box=tuple(original.tolist())))
        return results

    @staticmethod
    def fractions(batch: Batch) -> Tensor:
        """(B, 4) the boxes of a batch in fractions of the sides."""
        parts = []
        for image, box in zip(batch.images, batch.boxes, strict=True):
            height, width = image.shape[-2:]
            parts.append(box.as_subclass(Tensor) / torch.tensor([width, height, width, height]))
        return torch.cat(parts)
