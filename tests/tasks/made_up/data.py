"""Pictures of different sizes, each with the box of one bright rectangle: its target."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import RandomHorizontalFlip

from swinkit.data import batch
from swinkit.data.dataset import Dataset
from swinkit.data.folders import content_of
from swinkit.data.preprocess import Pipeline
from swinkit.data.rng import draws
from swinkit.data.sample import Sample
from swinkit.data.transform import seeded

BOXES = "boxes.json"


def write_data(root, counts={"train": 12, "val": 5}):  # noqa: B006
    """Write splits of pictures, wide and tall ones, and their boxes in pixels."""
    stream, boxes = draws("made up"), {}
    for split, count in counts.items():
        (root / split).mkdir(parents=True)
        for i in range(count):
            width, height = (48 + 4 * i, 40) if i % 2 else (36, 44 + 4 * i)
            left, top = stream.randrange(width // 2), stream.randrange(height // 2)
            box = [left, top, left + width // 3, top + height // 3]
            picture = Image.new("RGB", (width, height), (20, 30, 40))
            ImageDraw.Draw(picture).rectangle(box, fill=(250, 220, 200))
            picture.save(root / split / f"{i:02}.png")
            boxes[f"{split}/{i:02}.png"] = [box, [width, height]]
    (root / BOXES).write_text(json.dumps(boxes))
    return root


@dataclass(frozen=True)
class BoxDataset(Dataset):
    boxes: dict = field(default_factory=dict)

    def target(self, index):
        (box, (width, height)) = self.boxes[self.ids[index]]
        wrapped = tv_tensors.BoundingBoxes(
            torch.tensor([box]).float(), format="XYXY", canvas_size=(height, width)
        )
        return {"boxes": wrapped}

    def annotation(self, index):
        return self.boxes[self.ids[index]]


def find_boxes(root, split):
    boxes = json.loads((root / BOXES).read_text())
    names = [name for name in boxes if name.startswith(f"{split}/")]
    return BoxDataset(root, split, content_of(root, names), boxes=boxes)


@dataclass(frozen=True)
class Batch(batch.Batch):
    """Lists: images have different sizes. Boxes are in pixels of the prepared images."""

    images: list[Tensor]
    boxes: list[tv_tensors.BoundingBoxes]


@dataclass(frozen=True)
class Prepare:
    preprocess: Pipeline
    flip: float = 0.0
    seed: int = 0

    def __call__(self, samples: Iterable[Sample], epoch: int) -> Batch:
        images, boxes = [], []
        for sample in samples:
            with seeded(sample.draws(self.seed, epoch, "flip")):
                image, target = RandomHorizontalFlip(self.flip)(tv_tensors.Image(sample.image), sample.target)
            moved = replace(sample, image=image.as_subclass(Tensor), target=target)
            fitted, _ = self.preprocess.fit_sample(moved)
            images.append(self.preprocess.normalise(fitted.image))
            boxes.append(fitted.target["boxes"])
        return Batch(images, boxes)
