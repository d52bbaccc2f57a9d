"""Pictures of different sizes, each with the box of one bright rectangle: its target."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as v2

from swinkit.data import batch
from swinkit.data.dataset import Dataset
from swinkit.data.folders import content_of
from swinkit.data.preprocess import Preprocess, resized
from swinkit.data.rng import draws, generator
from swinkit.data.sample import Sample

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
    preprocess: Preprocess
    flip: float = 0.0
    seed: int = 0

    def __call__(self, samples: Iterable[Sample], epoch: int) -> Batch:
        images, boxes = [], []
        for sample in samples:
            image, box = sample.image, sample.target["boxes"]
            if draws(self.seed, epoch, sample.id).random() < self.flip:
                image, box = v2.horizontal_flip(image), v2.horizontal_flip(box)
            image = fitted(image, self.preprocess)
            images.append(self.preprocess.normalise(image))
            boxes.append(v2.resize(box, list(image.shape[-2:])))
        return Batch(images, boxes)


def fitted(image: Tensor, preprocess: Preprocess) -> Tensor:
    """Return the image with its shorter side resized; nothing is cut off."""
    height, width = image.shape[-2:]
    shorter = preprocess.resize
    size = (shorter, shorter * width // height) if height < width else (shorter * height // width, shorter)
    return resized(image, size, preprocess.interpolation)


@dataclass(frozen=True)
class ByShape:
    """Sampler: every micro-batch has wide or tall pictures alone."""

    wide: tuple[bool, ...]

    def length(self, micro_batch):
        return sum(count - count % micro_batch for count in (sum(self.wide), len(self.wide) - sum(self.wide)))

    def order(self, seed, epoch, micro_batch):
        return torch.cat(list(self.groups(seed, epoch, micro_batch)))

    def groups(self, seed: int, epoch: int, micro_batch: int) -> Iterator[Tensor]:
        whole = torch.randperm(len(self.wide), generator=generator(draws(seed, epoch, "order")))
        for wide in (True, False):
            group = whole[torch.tensor(self.wide)[whole] == wide]
            yield group[: len(group) - len(group) % micro_batch]
