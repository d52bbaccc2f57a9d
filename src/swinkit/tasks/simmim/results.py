"""Result of a masked image model for one picture.

Shapes: h, w pixels at the model's size.
"""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...data.images import extent
from ...viz.reconstructions import draw_reconstruction
from ..results import Result


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
        return f"{self.name} {extent(self.size)}  {self.summary}"

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
