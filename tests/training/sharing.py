"""What one of several processes has of a model, and what it measures; run in processes of their own.

They take plain values only, and write what they found into the file PATH-RANK.json.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor

from swinkit.data.loader import InOrder
from swinkit.data.preprocess import Preprocess
from swinkit.heads.classify import ClassificationHead
from swinkit.runs.folder import RunFolder
from swinkit.settings.run import Sharding
from swinkit.tasks.classification.data import Batch
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.observed import Observed
from swinkit.tasks.simmim.data import Batch as Hidden
from swinkit.tasks.simmim.data import MaskingCollate
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking
from swinkit.training.distributed import all_gather, in_flight, wait_for_gloo
from swinkit.training.evaluation import observe_over_ranks
from swinkit.training.job import Job
from swinkit.training.loop import train
from swinkit.training.parallelize import clip_gradient, gather_whole, persistent_buffers, place
from swinkit.training.step import Objective, seed_micro_batch
from swinkit.training.stopping import Signals
from tests.models.small import PIXELS, pixels, small

from .jobs import CLASSES, SIZE, Numbers, job, recipe, with_methods

FIT = Preprocess.to_crop(crop=(SIZE, SIZE), resize=SIZE)
CPU = torch.device("cpu")


def joined(environment: dict[str, str] | None) -> None:
    """Become one of the processes that the environment tells of, if it does."""
    torch.set_num_threads(1)
    os.environ.update(environment or {})
    if environment:
        dist.init_process_group("gloo")


def tell(path: str, found: Any) -> None:
    """Write what this process found, and part."""
    Path(f"{path}-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(found))
    if dist.is_initialized():
        dist.destroy_process_group()


def borrow(path: str, *, environment: dict[str, str]) -> None:
    """How many tensors each exchange was of, and how many were still held when all should be back."""
    joined(environment)
    counts, held = set[int](), 0
    for _ in range(200):
        all_gather(torch.zeros(5, device="cpu"), CPU)
        wait_for_gloo()
        counts.add(len(in_flight))
        held += sum(tensor() is not None for tensor in in_flight)
    tell(path, {"counts": sorted(counts), "held": held})


class Masks(SimMIM):
    """A task that observes the masks, as counts and as records of tensors."""

    def observe(self, batch: Hidden) -> Observed:
        """Count how often each patch is masked, and record the mask of each picture."""
        return Observed({"hidden": batch.mask.long().sum(0)}, dict(enumerate(batch.mask)))


def measure(path: str, *, environment: dict[str, str] | None = None, sharding: Sharding = "none") -> None:
    """Score SimMIM on nine pictures in batches of two; its sums depend on the order of adding.

    Five batches are no multiple of two processes: the second sees one more of which nothing must be left.
    """
    joined(environment)
    torch.manual_seed(3)
    fit = Preprocess.to_crop(crop=(SIZE, SIZE), resize=SIZE, mean=(0.5,) * 3, std=(0.3,) * 3)
    model = SimMIM(small(), Masking(patch=8), fit)
    collate = MaskingCollate(preprocess=fit, masking=model.masking, patch=(4, 4), seed=3)
    pictures: Any = Numbers(9)
    watched = InOrder(pictures, collate, batch_size=2)
    task = place(model, CPU, recipe(sharding=sharding).run)
    observed, _ = observe_over_ranks(task, watched, Signals(CPU))
    masks, _ = observe_over_ranks(Masks(model.backbone, model.masking, fit), watched, Signals(CPU))
    tell(
        path,
        {
            "observed": list(observed.records.values()),
            "scores": model.scores(observed),
            "hidden": masks.counts["hidden"].tolist(),
            "masks": [[number, mask.tolist()] for number, mask in masks.records.items()],
        },
    )


class NormedHead(ClassificationHead):
    """A head with batch norm in the place of layer norm, over the mean of the grid."""

    def __init__(self, width: int, num_classes: int):
        super().__init__(width, num_classes)
        self.norm = nn.BatchNorm1d(width)  # pyright: ignore[reportAttributeAccessIssue]

    def forward(self, x: Tensor) -> Tensor:
        """Average, normalise, project."""
        return self.classifier(self.norm(x.flatten(1, -2).mean(1)))


def normed(job: Job) -> Job:
    """Return the same job with buffers."""
    torch.manual_seed(0)
    task: Any = job.task
    task.head = NormedHead(task.head.classifier.in_features, len(CLASSES))
    return with_methods(job, save=lambda path, scores: path.mkdir(parents=True, exist_ok=True))


def train_normed(path: str, *, environment: dict[str, str], sharding: Sharding) -> None:
    """Train with batch norm, and tell the averaged buffers that the job's own task has in the end."""
    joined(environment)
    chosen, found = recipe(sharding=sharding), dict[str, Any]()
    made = normed(job(chosen))

    def keep(folder: Path, scores: dict[str, float]) -> None:
        """Also by the processes that do not write."""

    made = with_methods(made, save=keep)
    seen = made.task.scores

    def scores(observed: Observed) -> dict[str, float]:
        buffers = persistent_buffers(made.task)
        found.update({name: buffer.tolist() for name, buffer in buffers.items()})
        return seen(observed)

    made.task.scores = scores  # pyright: ignore[reportAttributeAccessIssue]
    train(made, chosen, RunFolder(Path(path)))
    tell(path, found)


def step(path: str, *, environment: dict[str, str]) -> None:
    """Of each family: are all weights shared out, how much is here, how far from alone does a step end.

    Each process sees another batch; alone means to see both, one after the other.
    """
    joined(environment)
    found = {}
    for family in PIXELS:
        torch.manual_seed(3)
        changes = {"drop_path": 0.3, **({"expert_dropout": 0.3} if family == "moe" else {})}
        alone = Classifier(small(family, **changes), CLASSES, FIT).train()
        shared = place(alone, CPU, recipe(sharding="full", checkpointing=True).run)
        parts = list(shared.parameters())
        held = sum(part.to_local().numel() for part in parts if isinstance(part, DTensor))
        ranks = range(dist.get_world_size())
        one = [stepped(alone, family, ranks), stepped(shared, family, [dist.get_rank()])]
        weights = zip(alone.parameters(), shared.parameters(), strict=True)
        found[family] = {
            "all": all(isinstance(part, DTensor) for part in parts),
            "held": held / sum(part.numel() for part in parts),
            "norms": one,
            "apart": max((a - gather_whole(b)).abs().max().item() for a, b in weights),
        }
    tell(path, found)


def stepped(task: Classifier, family: str, seen: Sequence[int]) -> float:
    """Take one step of SGD over the batches of these numbers, clipped; the length of the gradient."""
    for number in seen:
        seed_micro_batch(1, 2, number)
        batch = Batch(pixels(family), torch.tensor([0, 1]))
        (Objective(task)(batch) / len(seen)).backward()
    length = clip_gradient(task.parameters(), 0.1)
    torch.optim.SGD(task.parameters(), lr=1.0).step()
    return length
