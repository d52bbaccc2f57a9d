"""Reconstructions of a masked image model: the picture, its visible patches, and the completed picture.

Takes plain tensors. Shapes: h, w pixels of the picture. Lengths in pixels of the card.
"""

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .overlays import DARK, DARKER, GREY, HEIGHT, MARGIN, SMALL, TITLE, WHITE, frame_picture
from .text import font, shorten

HIDDEN = (58, 62, 71)  # colour of masked pixels
STRIP = 96  # height of the words above the pictures
GAP = 12
CAPTIONS = ("picture", "seen", "reconstructed")


def draw_reconstruction(
    image: Tensor, mask: Tensor, completed: Tensor, *, title: str, subtitle: str
) -> Image.Image:
    """Draw a picture (3, h, w) uint8, its visible part by a mask (h, w), and the completed one."""
    panels = [frame_picture(picture) for picture in (image, cover_masked(image, mask), completed)]
    each = panels[0].width
    canvas = Image.new("RGB", (len(panels) * (each + GAP) - GAP, STRIP + HEIGHT), DARK)
    draw = ImageDraw.Draw(canvas)
    room = canvas.width - 2 * MARGIN
    name = shorten(title, font(TITLE), room * 0.6, keep_end=True)
    draw.text((MARGIN, 16), name, WHITE, font(TITLE))
    draw.text(
        (canvas.width - MARGIN, 20), shorten(subtitle, font(SMALL), room * 0.35), GREY, font(SMALL), "ra"
    )
    for place, (panel, caption) in enumerate(zip(panels, CAPTIONS, strict=True)):
        left = place * (each + GAP)
        canvas.paste(panel, (left, STRIP))
        if place:
            canvas.paste(DARKER, (left - GAP, STRIP, left, STRIP + HEIGHT))
        draw.text((left + MARGIN, STRIP - 34), caption, GREY, font(SMALL))
    return canvas


def cover_masked(image: Tensor, mask: Tensor) -> Tensor:
    """Replace the masked pixels by one colour: (3, h, w), (h, w) bool -> (3, h, w)."""
    return torch.where(mask, torch.tensor(HIDDEN, dtype=torch.uint8).view(3, 1, 1), image)
