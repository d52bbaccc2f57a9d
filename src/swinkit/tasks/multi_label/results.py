"""Result of a model of several labels for one picture.

Shapes: h, w pixels of the original picture; K answers.
"""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from PIL import Image
from torch import Tensor

from ...data.images import extent
from ...viz.overlays import draw_card
from ..results import Result


@dataclass(frozen=True, kw_only=True)
class LabelSet(Result):
    """The classes that a picture shows, and the most likely K of all, the best first.

    `str` gives one line: `cat.jpg 451x300  cat 0.97, dog 0.81` (width x height), or `none` in their place.
    """

    shown: tuple[str, ...]  # those that reach the threshold, the best first
    labels: tuple[str, ...]  # (K,)
    scores: tuple[float, ...]  # (K,), the probability of each by itself, in [0, 1]
    image: Tensor | None = field(default=None, repr=False, compare=False)  # (C, h, w), or not kept

    def __str__(self) -> str:
        """Return one readable line, with those of the K answers that are shown."""
        pairs = zip(self.labels, self.scores, strict=True)
        answers = ", ".join(f"{label} {score:.2f}" for label, score in pairs if label in self.shown)
        return f"{self.name} {extent(self.size)}  {answers or 'none'}"

    def plot(self) -> Image.Image:
        """Draw the picture, if it was kept, beside its answers: RGB, 600 pixels high."""
        name = PurePath(self.name).name
        shown = ", ".join(self.shown) or "none"
        return draw_card(self.image, self.labels, self.scores, title=name, subtitle=f"shown: {shown}")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `swinkit predict --json`, whose keys are stable.

        `name`; `image` with `width` and `height` in pixels; `shown`, the classes that reach the threshold;
        `predictions`, best first, each with `label` and `score` in [0, 1].
        """
        pairs = zip(self.labels, self.scores, strict=True)
        predictions = [{"label": label, "score": score} for label, score in pairs]
        return {**super().to_json(), "shown": list(self.shown), "predictions": predictions}
