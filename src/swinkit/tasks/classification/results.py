"""Result of a classifier for one picture.

Shapes: h, w pixels of the original picture; K answers.
"""

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from PIL import Image
from torch import Tensor

from ...data.images import extent
from ...errors import require
from ...viz.overlays import draw_card
from ..results import Result


@dataclass(frozen=True, kw_only=True)
class Classification(Result):
    """The classes that a picture may show, in K answers, the best first.

    `str` gives one line: `cat.jpg 451x300  cat 0.97, dog 0.02` (width x height).
    """

    labels: tuple[str, ...]  # (K,)
    scores: tuple[float, ...]  # (K,), probabilities in [0, 1] among all classes that the model knows
    image: Tensor | None = field(default=None, repr=False, compare=False)  # (C, h, w), or not kept

    def __str__(self) -> str:
        """Return one readable line."""
        answers = ", ".join(
            f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True)
        )
        return f"{self.name} {extent(self.size)}  {answers}"

    def top(self, k: int) -> "Classification":
        """Return the same with the best `k` answers only.

        Raises:
            UsageError: `k` is below 1.
        """
        require(k >= 1, "top", k, "1 or more")
        return replace(self, labels=self.labels[:k], scores=self.scores[:k])

    def plot(self) -> Image.Image:
        """Draw the picture, if it was kept, beside its answers: RGB, 600 pixels high."""
        name = PurePath(self.name).name
        return draw_card(
            self.image, self.labels, self.scores, title=name, subtitle=f"{extent(self.size)} pixels"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `swinkit predict --json`, whose keys are stable.

        `name`; `image` with `width` and `height` in pixels; `predictions`, best first, each with `label`
        and `score` in [0, 1].
        """
        answers = zip(self.labels, self.scores, strict=True)
        predictions = [{"label": label, "score": score} for label, score in answers]
        return {**super().to_json(), "predictions": predictions}


def best(
    labels: tuple[str, ...], probabilities: Tensor, count: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the names and scores of the best `count` of (K,) probabilities, best first."""
    scores, order = probabilities.sort(descending=True, stable=True)
    return tuple(labels[i] for i in order[:count].tolist()), tuple(scores[:count].tolist())
