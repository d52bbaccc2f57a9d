"""Position of a fitted image in its original, so that answers come in pixels of the original.

Shapes: H, W pixels of the fitted image, h, w of the original.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from .sample import IGNORED


@dataclass(frozen=True)
class Placement:
    """Scale and offset on both axes: a point of the original lies at `point * scale + offset`.

    All pairs are (vertical, horizontal). A corner of a pixel has whole coordinates, its middle half ones.
    `frames` are the frames that were taken of a clip; None for all.
    """

    original: tuple[int, int]
    fitted: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    frames: tuple[int, ...] | None = None

    @classmethod
    def of(cls, image: Tensor) -> "Placement":
        """Return the placement of an image that nothing happened to yet."""
        size = (int(image.shape[-2]), int(image.shape[-1]))
        return cls(size, size)

    def crop(self, top: int, left: int, height: int, width: int) -> "Placement":
        """Return the placement after a rectangle of the fitted image is cut out."""
        offset = (self.offset[0] - top, self.offset[1] - left)
        return replace(self, offset=offset, fitted=(height, width))

    def resize(self, height: int, width: int) -> "Placement":
        """Return the placement after the fitted image is resized."""
        y, x = height / self.fitted[0], width / self.fitted[1]
        return replace(
            self,
            scale=(self.scale[0] * y, self.scale[1] * x),
            offset=(self.offset[0] * y, self.offset[1] * x),
            fitted=(height, width),
        )

    def undo_points(self, points: Tensor) -> Tensor:
        """Return points (..., 2) of (x, y) in pixels of the original, also those outside of it."""
        return (points - points.new_tensor(self.offset[::-1])) / points.new_tensor(self.scale[::-1])

    def undo_boxes(self, boxes: Tensor) -> Tensor:
        """Return boxes (..., 4) of (x1, y1, x2, y2) in pixels of the original, clipped to it."""
        corners = self.undo_points(boxes.reshape(*boxes.shape[:-1], 2, 2))
        most = corners.new_tensor(self.original[::-1])
        return torch.minimum(corners.clamp(min=0), most).reshape(boxes.shape)

    def undo_map(
        self, values: Tensor, *, mode: Literal["nearest", "bilinear"] = "nearest", fill: float = 0
    ) -> Tensor:
        """Return a dense map (..., H, W) as (..., h, w) of the original; `fill` where the model saw nothing.

        What lies right of or below the fitted image, as padding does, is left out.

        Raises:
            TypeError: bilinear interpolation of whole numbers is asked for.
        """
        if mode == "bilinear" and not values.is_floating_point():
            raise TypeError(f"bilinear takes floating-point numbers, got {values.dtype}; use nearest")
        for axis in (0, 1):
            dim = axis - 2
            middles = torch.arange(self.original[axis], device=values.device, dtype=torch.float64) + 0.5
            at, side = middles * self.scale[axis] + self.offset[axis], self.fitted[axis]
            if mode == "nearest":
                values = values.index_select(dim, at.floor().long().clamp(0, side - 1))
            else:
                low = (at - 0.5).clamp(0, side - 1)
                first = low.floor().long()
                shape = (-1, 1) if axis == 0 else (-1,)
                share = (low - first).to(values.dtype).view(shape)
                after = values.index_select(dim, (first + 1).clamp(max=side - 1))
                values = torch.lerp(values.index_select(dim, first), after, share)
            unseen = ((at < 0) | (at >= side)).nonzero()[:, 0]
            values = values.index_fill(dim, unseen, fill)
        return values

    def undo(self, value: Any) -> Any:
        """Return boxes, masks or key points, as tv_tensors, in pixels of the original."""
        from torchvision import tv_tensors
        from torchvision.transforms.v2 import functional

        wrap: Any = tv_tensors.wrap  # its decorator hides the signature
        plain = value.as_subclass(Tensor)
        if isinstance(value, tv_tensors.Mask):
            return wrap(self.undo_map(plain, fill=IGNORED if value.ndim == 2 else 0), like=value)
        if isinstance(value, tv_tensors.KeyPoints):
            return wrap(self.undo_points(plain), like=value, canvas_size=self.original)
        xyxy = tv_tensors.BoundingBoxFormat.XYXY
        corners = functional.convert_bounding_box_format(value, new_format=xyxy).as_subclass(Tensor)
        boxes = functional.convert_bounding_box_format(
            self.undo_boxes(corners), old_format=xyxy, new_format=value.format
        )
        return wrap(boxes, like=value, canvas_size=self.original)
