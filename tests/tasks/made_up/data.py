"""Pictures of different sizes, each with none to three rectangles of two kinds: boxes and labels."""

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
from swinkit.data.fitting import stack_padded
from swinkit.data.folders import content_of
from swinkit.data.preprocess import Preprocess
from swinkit.data.rng import draws
from swinkit.data.sample import Sample
from swinkit.data.transform import seeded

BOXES = "boxes.json"
KINDS = {"light": (250, 220, 200), "red": (250, 40, 30)}  # by label; a colour each


def write_data(root, counts={"train": 16, "val": 5}):  # noqa: B006
    """Write splits of wide and tall pictures, and their boxes in pixels with labels, from left to right."""
    stream, annotations = draws("made up"), {}
    for split, count in counts.items():
        (root / split).mkdir(parents=True)
        for i in range(count):
            width, height = (48 + 4 * i, 40) if i % 2 else (36, 44 + 4 * i)
            picture = Image.new("RGB", (width, height), (20, 30, 40))
            boxes, labels = [], []
            for place in range(i % 4):
                left, top = width * place // 3 + stream.randrange(4), stream.randrange(height // 2)
                boxes.append([left, top, left + width // 4, top + height // 3])
                labels.append(stream.randrange(2))
                ImageDraw.Draw(picture).rectangle(boxes[-1], fill=list(KINDS.values())[labels[-1]])
            picture.save(root / split / f"{i:02}.png")
            annotations[f"{split}/{i:02}.png"] = [boxes, labels, [width, height]]
    (root / BOXES).write_text(json.dumps(annotations))
    return root


@dataclass(frozen=True)
class BoxDataset(Dataset):
    annotations: dict = field(default_factory=dict)

    def target(self, index):
        boxes, labels, (width, height) = self.annotations[self.ids[index]]
        corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        wrapped = tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=(height, width))
        return {"boxes": wrapped, "labels": torch.tensor(labels, dtype=torch.long)}

    def annotation(self, index):
        return self.annotations[self.ids[index]]

    def size(self, index):
        width, height = self.annotation(index)[2]
        return height, width


def find_boxes(root, split):
    annotations = json.loads((root / BOXES).read_text())
    names = [name for name in annotations if name.startswith(f"{split}/")]
    return BoxDataset(root, split, content_of(root, names), tuple(KINDS), annotations=annotations)


@dataclass(frozen=True)
class Batch(batch.Batch):
    """Padded pixels (B, 3, H, W); the size, boxes (n, 4) in pixels, and labels (n,) of each image."""

    pixels: Tensor
    sizes: list[tuple[int, int]]
    boxes: list[tv_tensors.BoundingBoxes]
    labels: list[Tensor]


@dataclass(frozen=True)
class Collate:
    preprocess: Preprocess
    flip: float = 0.0
    seed: int = 0

    def __call__(self, samples: Iterable[Sample], epoch: int) -> Batch:
        images, targets = [], []
        for sample in samples:
            with seeded(sample.draws(self.seed, epoch, "flip")):
                image, target = RandomHorizontalFlip(self.flip)(tv_tensors.Image(sample.image), sample.target)
            moved = replace(sample, image=image.as_subclass(Tensor), target=target)
            fitted, _ = self.preprocess.fit_sample(moved)
            images.append(self.preprocess.normalise(fitted.image))
            targets.append(fitted.target)
        boxes, labels = ([target[name] for target in targets] for name in ("boxes", "labels"))
        sizes = [tuple(image.shape[-2:]) for image in images]
        return Batch(stack_padded(images, multiple=8), sizes, boxes, labels)
