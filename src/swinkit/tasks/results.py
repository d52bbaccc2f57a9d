"""What models answer, in the user's units. Results are values: they print, draw and save themselves.

Shapes: h, w pixels of the original picture; K answers.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..errors import UsageError
from ..files.atomic import atomic_write
from ..viz.overlays import card
from ..viz.reconstructions import reconstruction_card


@dataclass(frozen=True, kw_only=True)
class Classification:
    """What a picture shows, in K answers, the best first.

    `str` gives one line: `cat.jpg 451x300  cat 0.97, dog 0.02` (width x height).
    """

    name: str  # the file's path as it was given, else "image"
    size: tuple[int, int]  # (height, width) of the original, upright, in pixels
    labels: tuple[str, ...]  # (K,)
    scores: tuple[float, ...]  # (K,), probabilities in [0, 1] among all classes that the model knows
    image: Tensor | None = field(default=None, repr=False, compare=False)  # (3, h, w) uint8 RGB, or not kept

    def __str__(self) -> str:
        """One readable line."""
        answers = ", ".join(
            f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True)
        )
        return f"{self.name} {self.extent}  {answers}"

    @property
    def extent(self) -> str:
        """Width x height in pixels, as people write it."""
        return f"{self.size[1]}x{self.size[0]}"

    def top(self, k: int) -> "Classification":
        """The same with the best `k` answers only.

        Raises:
            UsageError: `k` is below 1.
        """
        if k < 1:
            raise UsageError(f"top: expected a number of answers of at least 1, got {k}")
        return replace(self, labels=self.labels[:k], scores=self.scores[:k])

    def plot(self) -> Image.Image:
        """The picture, if it was kept, beside its answers, as an RGB picture 600 pixels high."""
        name = PurePath(self.name).name
        return card(self.image, self.labels, self.scores, title=name, subtitle=f"{self.extent} pixels")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `plot()` as a .png, .jpg, .webp, .bmp or .tiff; the file is either whole or not there.

        Raises:
            UsageError: another ending.
            EnvironmentProblem: the file cannot be written.
        """
        save_picture(self.plot(), Path(path))

    def to_json(self) -> dict[str, Any]:
        """What `swinkit predict --json` prints; the keys stay as they are.

        `name`; `image` with `width` and `height` in pixels; `predictions`, best first, each with `label`
        and `score` in [0, 1].
        """
        height, width = self.size
        answers = zip(self.labels, self.scores, strict=True)
        return {
            "name": self.name,
            "image": {"width": width, "height": height},
            "predictions": [{"label": label, "score": score} for label, score in answers],
        }


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A picture of which a part was hidden, and what a model made of that part.

    Pictures are RGB at the model's size. `str` gives one line: `cat.jpg 451x300  61% hidden, off by 0.08`
    (width x height).
    """

    name: str  # the file's path as it was given, else "image"
    size: tuple[int, int]  # (height, width) of the original, upright, in pixels
    image: Tensor = field(repr=False, compare=False)  # (3, h, w) uint8, as the model would see it whole
    mask: Tensor = field(repr=False, compare=False)  # (h, w) bool, True where it was hidden
    reconstruction: Tensor = field(
        repr=False, compare=False
    )  # (3, h, w) uint8, also where nothing was hidden

    def __str__(self) -> str:
        """One readable line."""
        return f"{self.name} {self.size[1]}x{self.size[0]}  {self.summary}"

    @property
    def summary(self) -> str:
        """How much was hidden, and how far the reconstruction is off."""
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
        """(3, h, w) uint8: what was seen, and what was made of the rest."""
        return torch.where(self.mask, self.reconstruction, self.image)

    def plot(self) -> Image.Image:
        """The picture, what was seen of it, and what was made of it, side by side."""
        name = PurePath(self.name).name
        return reconstruction_card(self.image, self.mask, self.completed, title=name, subtitle=self.summary)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `plot()` as a .png, .jpg, .webp, .bmp or .tiff; the file is either whole or not there.

        Raises:
            UsageError: another ending.
            EnvironmentProblem: the file cannot be written.
        """
        save_picture(self.plot(), Path(path))

    def to_json(self) -> dict[str, Any]:
        """`name`; `image` with `width` and `height` in pixels; `hidden` and `error`, both in [0, 1]."""
        height, width = self.size
        shape = {"width": width, "height": height}
        return {"name": self.name, "image": shape, "hidden": self.hidden, "error": self.error}


def best(
    labels: tuple[str, ...], probabilities: Tensor, count: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """(K,) probabilities -> the names and scores of the best `count`, or of all where there are fewer."""
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
