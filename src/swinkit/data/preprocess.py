"""From a decoded picture to the pixels a model takes: resize, crop, normalise. A fact of the weights, saved with them."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ..core.spec import Size
from ..errors import DataError
from .images import IMAGENET_MEAN, IMAGENET_STD


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a model wants its pictures.

    The shorter side is resized to `resize` pixels, then the middle `crop` (h, w) is cut out; with
    `resize` None the whole picture is squeezed into `crop`. Mean and std are of RGB in [0, 1].
    """

    crop: Size
    resize: int | None
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    version: int = 1

    def fit(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, *crop) uint8, antialiased."""
        size = [self.resize] if self.resize is not None else list(self.crop)
        if self.resize != min(image.shape[1:]) or self.resize is None:
            image = F.resize(image, size, interpolation=InterpolationMode(self.interpolation), antialias=True)
        return F.center_crop(image, list(self.crop))

    def normalise(self, images: Tensor) -> Tensor:
        """(..., 3, h, w) uint8 -> float32, zero mean and unit spread over the training images."""
        mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (self.mean, self.std))
        return (images.float() / 255 - mean) / std

    def __call__(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, *crop) float32, ready for the model."""
        return self.normalise(self.fit(image))

    def to_json(self) -> dict[str, Any]:
        """As saved in `preprocess.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocess":
        """Read what `to_json` wrote.

        Raises:
            DataError: a field is missing or unknown, or the file is of a later version.
        """
        if values.get("version") != 1:
            raise DataError(f"preprocess.json: version {values.get('version')!r} is not known; this swinkit reads version 1")
        try:
            return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        except TypeError as error:
            raise DataError(f"preprocess.json: {error}") from None
