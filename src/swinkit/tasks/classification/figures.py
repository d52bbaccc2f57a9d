"""Figures of an evaluation of a classifier: its confusion matrix, and its worst mistakes."""

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...data.dataset import ImageDataset
from ...viz.confusion import ALL, SOME, draw_confusion_matrix
from ...viz.figure import can_draw
from ...viz.gallery import Tile, draw_gallery
from ..results import save_picture
from .metrics import Accuracy
from .predictions import Answers

CONFUSION, WORST = "confusion.png", "worst.png"
WORST_SHOWN = 24  # pictures
IN_TRAINING = (CONFUSION, f"val_{WORST}")  # in the folder of a run


def draw_evaluation(answers: Answers, samples: ImageDataset, labels: Sequence[str], run: Path) -> None:
    """Draw the answers to the pictures that a training watches into the folder of its run.

    The confusion matrix is left out where matplotlib is not installed.

    Raises:
        ImageError: a picture cannot be read any more.
        EnvironmentProblem: the folder cannot be written.
    """
    counts = answers.accuracy(len(labels))
    title = f"top-1 {counts.top1:.2%}, the best of {run.absolute().name}"
    matrix, worst = IN_TRAINING
    if can_draw(matrix):
        save_picture(confusion_of(counts, labels, title=title), run / matrix)
    save_picture(worst_of(answers, samples, labels), run / worst)


def confusion_of(counts: Accuracy, labels: Sequence[str], *, title: str) -> Image.Image:
    """Draw the confusion matrix; of many classes, those that are confused most often."""
    every = len(labels) <= ALL
    chosen = list(range(len(labels))) if every else counts.most_confused(SOME)
    part = "" if every else f", the {len(chosen)} of them that are confused most often"
    return draw_confusion_matrix(
        counts.among(chosen),
        counts.totals[chosen],
        {i: labels[i] for i in chosen},
        title=title,
        subtitle=f"{counts.total} pictures of {len(labels)} classes{part}",
    )


def worst_of(answers: Answers, samples: ImageDataset, labels: Sequence[str]) -> Image.Image:
    """Draw the pictures whose right class got the lowest probability.

    Raises:
        ImageError: one of them cannot be read.
    """

    def shown(number: float, score: float) -> tuple[int, str, float]:
        return int(number), labels[int(number)], score

    records, tiles = answers.records, []
    for i in answers.worst(WORST_SHOWN):
        label, first, _, score, loss = records[i]
        truth, answer = shown(label, math.exp(-loss)), shown(first, score)
        tiles.append(Tile(image=samples[i].image, name=samples.ids[i], truth=truth, answer=answer))
    wrong = int((~answers.right).sum())
    return draw_gallery(
        tiles,
        title=f"The {len(tiles)} of {len(samples)} pictures with the highest loss",
        subtitle=f"{wrong} of all are answered wrongly. Below each: the answer, what is right, the file",
    )
