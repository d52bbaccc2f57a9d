"""Answers of models, in the user's units: values that print, draw and save themselves.

Shapes: h, w pixels of the original picture; K answers.
"""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..errors import UsageError
from ..files.atomic import atomic_write
from ..viz.overlays import draw_card
from ..viz.reconstructions import draw_reconstruction


@dataclass(frozen=True, kw_only=True)
class Result(ABC):
    """Answer of a task about one picture."""

    name: str  # the file's path as it was given, else "image"
    size: tuple[int, int]  # (height, width) of the original, upright, in pixels
    seconds: float = field(default=0.0, repr=False, compare=False)  # for reading and answering

    @property
    def extent(self) -> str:
        """Width x height in pixels, as people write it."""
        return f"{self.size[1]}x{self.size[0]}"

    def to_json(self) -> dict[str, Any]:
        """Return `name`, and `image` with `width` and `height` in pixels."""
        height, width = self.size
        return {"name": self.name, "image": {"width": width, "height": height}}

    @abstractmethod
    def plot(self) -> Image.Image:
        """Draw the answer, as an RGB picture."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `plot()` as a .png, .jpg, .webp, .bmp or .tiff; the file is either whole or not there.

        Raises:
            UsageError: another ending.
            EnvironmentProblem: the file cannot be written.
        """
        save_picture(self.plot(), Path(path))


@dataclass(frozen=True, kw_only=True)
class Classification(Result):
    """The classes that a picture may show, in K answers, the best first.

    `str` gives one line: `cat.jpg 451x300  cat 0.97, dog 0.02` (width x height).
    """

    labels: tuple[str, ...]  # (K,)
    scores: tuple[float, ...]  # (K,), probabilities in [0, 1] among all classes that the model knows
    image: Tensor | None = field(default=None, repr=False, compare=False)  # (3, h, w) uint8 RGB, or not kept

    def __str__(self) -> str:
        """Return one readable line."""
        answers = ", ".join(
            f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True)
        )
        return f"{self.name} {self.extent}  {answers}"

    def top(self, k: int) -> "Classification":
        """Return the same with the best `k` answers only.

        Raises:
            UsageError: `k` is below 1.
        """
        if k < 1:
            raise UsageError(f"top: expected a number of answers of at least 1, got {k}")
        return replace(self, labels=self.labels[:k], scores=self.scores[:k])

    def plot(self) -> Image.Image:
        """Draw the picture, if it was kept, beside its answers: RGB, 600 pixels high."""
        name = PurePath(self.name).name
        return draw_card(self.image, self.labels, self.scores, title=name, subtitle=f"{self.extent} pixels")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `swinkit predict --json`, whose keys are stable.

        `name`; `image` with `width` and `height` in pixels; `predictions`, best first, each with `label`
        and `score` in [0, 1].
        """
        answers = zip(self.labels, self.scores, strict=True)
        predictions = [{"label": label, "score": score} for label, score in answers]
        return {**super().to_json(), "predictions": predictions}


@dataclass(frozen=True, kw_only=True)
class Reconstruction(Result):
    """A picture that was partly hidden, and the reconstruction of the hidden part by a model.

    Pictures are RGB at the model's size. `str` gives one line: `cat.jpg 451x300  61% hidden, off by 0.08`
    (width x height).
    """

    image: Tensor = field(repr=False, compare=False)  # (3, h, w) uint8, as the model would see it whole
    mask: Tensor = field(repr=False, compare=False)  # (h, w) bool, True where it was hidden
    reconstruction: Tensor = field(
        repr=False, compare=False
    )  # (3, h, w) uint8, also where nothing was hidden

    def __str__(self) -> str:
        """Return one readable line."""
        return f"{self.name} {self.extent}  {self.summary}"

    @property
    def summary(self) -> str:
        """The hidden share and the error, in words."""
        return f"{self.hidden:.0%} hidden, off by {self.error:.2f}"

    @property
    def hidden(self) -> float:
        """The share of the pixels that were hidden, in [0, 1]."""
        return self.mask.float().mean().item()

    @property
    def error(self) -> float:
        """The mean absolute difference of a colour of hidden pixels, where 1 is from black to white."""
        difference = (self.image.float() - self.reconstruction.float()).abs().mean(0)
        return difference[self.mask].mean().item() / 255

    @property
    def completed(self) -> Tensor:
        """The visible part and the reconstruction of the rest: (3, h, w) uint8."""
        return torch.where(self.mask, self.reconstruction, self.image)

    def plot(self) -> Image.Image:
        """Draw the picture, its visible part and the completed picture side by side."""
        name = PurePath(self.name).name
        return draw_reconstruction(self.image, self.mask, self.completed, title=name, subtitle=self.summary)

    def to_json(self) -> dict[str, Any]:
        """Return `name`; `image` with `width` and `height`; `hidden` and `error`, both in [0, 1]."""
        return {**super().to_json(), "hidden": self.hidden, "error": self.error}


def best(
    labels: tuple[str, ...], probabilities: Tensor, count: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the names and scores of the best `count` of (K,) probabilities, best first."""
    scores, order = probabilities.sort(descending=True, stable=True)
    return tuple(labels[i] for i in order[:count].tolist()), tuple(scores[:count].tolist())


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture beside its place, then move it there.

    Raises:
        UsageError: the ending names no format for pictures.
        EnvironmentProblem: the file cannot be written.
    """
    formats = {
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".webp": "WEBP",
        ".bmp": "BMP",
        ".tif": "TIFF",
        ".tiff": "TIFF",
    }
    chosen = formats.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(f"{path}: unknown ending {path.suffix!r} (known: {', '.join(formats)})")
    with atomic_write(path, durable=False) as partial:
        picture.save(partial, chosen, quality=92)
