"""Result of a regression for one picture.

Shapes: h, w pixels of the original picture; K values.
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
class Measurement(Result):
    """The numbers that a model gives for a picture, each in the unit of the data it was trained on.

    `str` gives one line: `cat.jpg 451x300  age 3.2, weight 4.51` (width x height).
    """

    labels: tuple[str, ...]  # (K,), the names of the values
    values: tuple[float, ...]  # (K,)
    image: Tensor | None = field(default=None, repr=False, compare=False)  # (C, h, w), or not kept

    @property
    def told(self) -> str:
        """The values with their names."""
        pairs = zip(self.labels, self.values, strict=True)
        return ", ".join(f"{label} {value:.4g}" for label, value in pairs)

    def __str__(self) -> str:
        """Return one readable line."""
        return f"{self.name} {extent(self.size)}  {self.told}"

    def plot(self) -> Image.Image:
        """Draw the picture, if it was kept, beside its values: RGB, 600 pixels high."""
        return draw_card(self.image, (), (), title=PurePath(self.name).name, subtitle=self.told)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `swinkit predict --json`: `name`, `image`, and `values` by name."""
        return {**super().to_json(), "values": dict(zip(self.labels, self.values, strict=True))}
