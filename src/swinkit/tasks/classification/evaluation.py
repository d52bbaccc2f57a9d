"""Evaluation of a classifier on labelled pictures: predictions, scores and files.

Shapes: N pictures, K classes.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ...data.channels import channels_to_read
from ...data.classes import imagenet_1k_names
from ...data.dataset import HELD_OUT, ImageDataset
from ...data.find_dataset import find_samples, layout_of
from ...data.imagenet import CLASSES_1K, ids
from ...data.preprocess import Preprocess
from ...errors import DataError, UsageError, listed
from ...viz.figure import can_draw
from ..evaluation import Comparison, Evaluation, Table, as_csv, protocol, summary
from ..observed import Observed
from ..task import NOT_FINITE
from .comparison import PairedComparison
from .figures import CONFUSION, WORST, confusion_of, worst_of
from .metrics import Accuracy
from .model import Classifier
from .predictions import Answers

CLASSES, PREDICTIONS = "per_class.csv", "predictions.csv"
SHOWN_CLASSES = 50  # of more, those with the lowest recall are shown
NUMBERS = ("pictures", "recall", "precision", "F1")
MOST_CONFUSED = 1000  # classes of which JSON has the confusion; of 21,841 it would take a gigabyte


@dataclass(frozen=True)
class ClassifierEvaluation(Evaluation):
    """The answers of a classifier of the classes `labels` to `samples`, fitted by `preprocess`."""

    labels: tuple[str, ...]
    samples: ImageDataset
    preprocess: Preprocess
    answers: Answers

    @cached_property
    def accuracy(self) -> Accuracy:
        """The counts, class by class."""
        return self.answers.accuracy(len(self.labels))

    @property
    def top1(self) -> float:
        """Share of the pictures whose first answer is right, in [0, 1]."""
        return self.accuracy.top1

    @property
    def top5(self) -> float:
        """Share of the pictures whose class is among the first five answers, in [0, 1]."""
        return self.accuracy.top5

    @property
    def total(self) -> int:
        """Number of pictures, N."""
        return self.accuracy.total

    def __str__(self) -> str:
        """Return the totals."""
        shares = (f"{name[:3]}-{name[3:]} {share:.2%}" for name, share in self.accuracy.shares.items())
        return "  ".join((*shares, f"loss {self.answers.loss:.4f}"))

    @property
    def summary(self) -> str:
        """Protocol of the measurement, in one line."""
        return summary(self.samples, self.preprocess)

    @property
    def classes(self) -> list[dict[str, Any]]:
        """A row for each class: shares in [0, 1]; the most frequent wrong answer, None where is none."""
        counts, labels = self.accuracy, self.labels
        confused = {i: (labels[answer], count) for i, (answer, count) in counts.confused.items()}
        shares = zip(counts.recall, counts.precision, counts.f1, strict=True)
        return [
            {
                "class": name,
                "pictures": total,
                "recall": recall,
                "precision": precision,
                "f1": f1,
                "confused_with": confused.get(i, (None, 0))[0],
                "confused": confused.get(i, (None, 0))[1],
            }
            for i, (name, total, (recall, precision, f1)) in enumerate(
                zip(labels, counts.totals.tolist(), shares, strict=True)
            )
        ]

    def table(self) -> Table:
        """Return a row for each class; of many, those with the lowest recall."""
        classes = self.classes
        few = len(classes) <= SHOWN_CLASSES
        chosen = classes if few else sorted(classes, key=lambda row: row["recall"])[:SHOWN_CLASSES]
        rows = [
            [
                row["class"],
                str(row["pictures"]),
                *(f"{row[name]:.2%}" for name in ("recall", "precision", "f1")),
                f"{row['confused_with']} ({row['confused']})" if row["confused"] else "-",
            ]
            for row in chosen
        ]
        rest = "those with the lowest recall are shown; --json and --save have all"
        note = "" if few else f"{len(chosen)} of {len(classes)} classes, {rest}"
        return Table(["class", *NUMBERS, "most confused with"], rows, right=NUMBERS, note=note)

    def against(self, other: Evaluation) -> Comparison:
        """Compare with `other` on the same pictures; classes are matched by their names.

        Raises:
            UsageError: the classes are others.
            DataError: the pictures are others, or have other labels.
        """
        if not isinstance(other, ClassifierEvaluation):
            return super().against(other)
        missing, more = set(self.labels) - set(other.labels), set(other.labels) - set(self.labels)
        if missing or more:
            only = f"only one has {listed(sorted(missing or more))}"
            raise UsageError(f"models of different classes cannot be compared: {only}")
        if self.samples.ids != other.samples.ids:
            raise DataError("the two evaluations are of different pictures; evaluate both on the same")
        if self.labels != other.labels:
            place = {name: i for i, name in enumerate(other.labels)}
            order = torch.tensor([place[name] for name in self.labels])
            if not torch.equal(order[self.answers.labels], other.answers.labels):
                raise DataError(
                    f"{self.samples.root} numbers its labels, and the models order their classes "
                    "differently; name the classes in classes.txt"
                )
        return PairedComparison.of(self.answers.right, other.answers.right)

    def to_json(self) -> dict[str, Any]:
        """Return `top1`, `top5` in [0, 1], `loss`, `pictures`, the rows of `classes`, and the protocol."""
        stated = protocol("classification", self.samples, self.preprocess)
        totals = {"top1": self.top1, "top5": self.top5, "loss": self.answers.loss, "pictures": self.total}
        return {**stated, **totals, "classes": self.classes}

    def details(self) -> tuple[dict[str, Any], str]:
        """Return `confusion`, `[i][j]` pictures of class i answered as j; None for too many classes."""
        if len(self.labels) <= MOST_CONFUSED:
            return {"confusion": self.accuracy.confusion.tolist()}, ""
        note = f"no confusion of {len(self.labels)} classes; it is written for {MOST_CONFUSED} at most"
        return {"confusion": None}, note

    def predictions(self) -> str:
        """Return a line of CSV for each picture, in their order."""
        answers, names = self.answers, self.labels
        columns = zip(
            self.samples.ids,
            [names[i] for i in answers.labels.tolist()],
            [names[i] for i in answers.first.tolist()],
            answers.scores.tolist(),
            answers.likely.tolist(),
            strict=True,
        )
        return as_csv(("id", "true", "answer", "score", "true_score"), columns)

    def files(self) -> dict[str, str | Image.Image]:
        """Return tables of the classes and of the answers, and two pictures, by name.

        The confusion matrix is left out where matplotlib is not installed.

        Raises:
            DataError: a picture cannot be read any more.
        """
        rows = self.classes
        files: dict[str, str | Image.Image] = {
            CLASSES: as_csv(tuple(rows[0]), (row.values() for row in rows)),
            PREDICTIONS: self.predictions(),
            WORST: worst_of(self.answers, self.samples, self.labels),
        }
        if can_draw(CONFUSION):
            files[CONFUSION] = confusion_of(self.accuracy, self.labels, title=str(self))
        return files


def evaluation_of(model: Classifier, samples: ImageDataset, observed: Observed) -> ClassifierEvaluation:
    """Return the evaluation that comes of the answers of `model` to every picture.

    Raises:
        DataError: scores are not finite.
    """
    answers = Answers.of_records(observed.records)
    if not answers.losses.isfinite().all():
        raise DataError(NOT_FINITE)
    return ClassifierEvaluation(model.labels, samples, model.preprocess, answers)


def find_pictures(model: Classifier, data: Path, split: str) -> ImageDataset:
    """Find the labelled pictures of a split, numbered as the model's labels; ImageNet's may have WordNet ids.

    Raises:
        DataError: there is no such split, or it has classes that the model does not know.
    """
    labels, fit = model.labels, model.preprocess
    channels = channels_to_read(fit.mean, fit.std)
    try:
        return find_samples(data, split, classes=labels, channels=channels)
    except DataError as error:
        if layout_of(data, split) is None:
            there = next((other for other in HELD_OUT if layout_of(data, other)), None)
            raise DataError(f"{error}; try split={there}" if there else str(error)) from None
        if len(labels) != CLASSES_1K or tuple(labels) != imagenet_1k_names():
            raise
        return find_samples(data, split, classes=ids("1k"), channels=channels)
