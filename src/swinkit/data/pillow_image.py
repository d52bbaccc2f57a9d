"""Images that Pillow reads, of every mode, as 8-bit RGB or as the channels that are stored.

The displayed range of values follows from the file's header, never from what the picture shows.

Shapes: h, w pixels; C channels.
"""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import require

if TYPE_CHECKING:
    from .tiff import Layout

MAX_PIXELS = 89_000_000  # above it Pillow itself suspects a decompression bomb; above twice of it, it refuses
VARIABLE = "SWINKIT_MAX_PIXELS"  # of the environment, which processes that read pictures inherit
pillow_lock = threading.RLock()  # held while Pillow's own limit, which all threads share, is raised
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
MARKED = ("1", "L", "P", "RGB")  # a file can mark one colour, or palette entries, as transparent
CHANNELS = ("L", "LA", "F", "RGB", "RGBA", "CMYK")
TURNS = {  # EXIF tag 0x0112: what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class OpenImage(ABC):
    """An image whose header was read."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    @abstractmethod
    def mode(self) -> str:
        """Pillow's mode, with the bits of a channel if they are more than 8 and the mode does not say it."""

    @abstractmethod
    def is_turned(self) -> bool:
        """Return whether EXIF data turn it."""

    @abstractmethod
    def rgb(self, background: tuple[int, int, int]) -> Image.Image:
        """Decode it, upright, as RGB.

        Raises:
            ValueError: it is damaged, or the range of its values is not known.
        """

    @abstractmethod
    def channels(self) -> Tensor:
        """Decode the channels that are stored, upright: (C, h, w), uint8, or float32 with 1 the brightest.

        Raises:
            ValueError: it is damaged, or the range of its values is not known.
        """


@dataclass(frozen=True)
class PillowImage(OpenImage):
    """An image that Pillow reads rightly; of a TIFF also its `layout`, and the open `file`."""

    image: Image.Image
    layout: "Layout | None" = None
    file: IO[bytes] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def mode(self) -> str:
        """Pillow's mode, with the bits of a channel if they are more than 8 and the mode does not say it."""
        deep = self.image.mode == "RGB" and ";16" in stored_modes(self.image)
        return "RGB;16" if deep else self.image.mode

    def is_turned(self) -> bool:
        """Return whether EXIF data turn it."""
        return orientation_of(self.image) is not None

    def rgb(self, background: tuple[int, int, int]) -> Image.Image:
        """Decode it, upright, as RGB."""
        mend_transparency(self.image)
        return to_rgb(turn_upright(self.image), background)

    def channels(self) -> Tensor:
        """Decode the channels that are stored, upright: (C, h, w)."""
        if self.layout is not None and self.layout.is_stored_in_bytes():
            from .tiff_image import MisreadTiff

            return MisreadTiff(self.layout, self.file).channels()  # Pillow leaves out what is no colour
        return channels_of_image(turn_upright(self.image))


def stored_modes(image: Image.Image) -> str:
    """Return a text with the modes that the file stores, empty once Pillow has decoded it."""
    return str(getattr(image, "tile", ""))


def mend_transparency(image: Image.Image) -> None:
    """Scale the transparent value of a PNG as Pillow scales its pixels.

    Raises:
        ValueError: of 16 bits a channel Pillow keeps 8, which cannot tell the transparent colour.
    """
    marked, stored = image.info.get("transparency"), stored_modes(image)
    if image.format != "PNG" or marked is None:
        return
    if isinstance(marked, tuple) and "RGB;16" in stored:
        raise ValueError("RGB of 16 bits with a transparent colour; save it with an alpha channel")
    for bits in (2, 4):
        if isinstance(marked, int) and f"'L;{bits}'" in stored:
            image.info["transparency"] = marked * 255 // (2**bits - 1)


def turn_upright(image: Image.Image) -> Image.Image:
    """Turn an image by its EXIF orientation; leave it as stored where the EXIF data are damaged."""
    image.load()  # PNG may carry its EXIF data at the end; TIFF turns itself while loading
    orientation = orientation_of(image)
    return image if orientation is None else image.transpose(TURNS[orientation])


def orientation_of(image: Image.Image) -> int | None:
    """Return the EXIF orientation, one of `TURNS`; None without one."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:  # noqa: BLE001 - a damaged note about the picture is no reason to refuse the picture
        return None
    return orientation if orientation in TURNS else None


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert an image of any of Pillow's modes to RGB, by an explicit rule for every mode.

    | mode | rule |
    |---|---|
    | RGB, RGBX, L, 1, P | as Pillow converts them |
    | CMYK, YCbCr, HSV, LAB | Pillow's plain formulas (LAB: littleCMS to sRGB) |
    | RGBA, RGBa, LA, La, PA, and one colour marked as transparent | composited on the background |
    | I;16 in any byte order | 65535 becomes 255; Pillow itself would clip at 255 |
    | I (32 bits) | taken as 16 bits where the values can be nothing else; else refused |
    | F | [0, 1] becomes [0, 255]; anything else is refused |

    RGB of 16 bits a channel arrives here with 8: Pillow keeps the upper byte.

    Raises:
        ValueError: the range of the values is not known.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return wide_to_rgb(image, background)
    if image.mode in ALPHA or (image.mode in MARKED and "transparency" in image.info):
        image = image.convert("LA") if image.mode == "La" else image  # Pillow has no direct way
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    return image.convert("RGB")


def wide_to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert grey of more than 8 bits; a grey value marked as transparent becomes the background."""
    values = np.asarray(image)
    highest = 65535 if image.mode.startswith("I;16") else None
    rgb = np.stack([to_8_bits(values, highest)] * 3, axis=-1)
    marked = image.info.get("transparency")
    if isinstance(marked, int):
        rgb[values == marked] = background
    return Image.fromarray(rgb)


def to_8_bits(values: np.ndarray, highest: int | None) -> np.ndarray:
    """Convert values from 0 to `highest`, as a file declares it, to uint8 of the same shape.

    Without `highest` floats must be in [0, 1], and integers are taken as 16 bits where they can be nothing
    else.

    Raises:
        ValueError: the range of the values is not known.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.floating):
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise ValueError(
                f"floating-point values from {low:g} to {high:g} have no known range; store them in [0, 1]"
            )
        return np.rint(values * np.float32(255)).astype(np.uint8)  # float16 would round too early
    if highest is None and not (low >= 0 and 255 < high <= 65535):
        raise ValueError(
            f"32-bit integers from {low} to {high} have no known range; store them in 8 or 16 bits"
        )
    return np.rint(values / ((highest or 65535) / 255)).astype(np.uint8)  # 65535 / 255 = 257


def channels_of_image(image: Image.Image) -> Tensor:
    """Return the channels that Pillow reads of an image: (C, h, w), uint8, or float32 with 1 the brightest.

    Raises:
        ValueError: it has no channels of a known range.
    """
    if image.mode in ("1", "La"):
        image = image.convert("L" if image.mode == "1" else "LA")
    wide = image.mode.startswith("I;16")
    if not wide and image.mode not in CHANNELS:
        raise ValueError(f"an image of mode {image.mode} holds no channels of a known range; save it as RGB")
    values = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
    return torch.from_numpy(values.astype(np.float32) / 65535 if wide else np.array(values))


def pixel_limit() -> int:
    """Return the most pixels of an image: `$SWINKIT_MAX_PIXELS`, else 89 million.

    Raises:
        UsageError: the variable is no whole number above 0.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return MAX_PIXELS
    require(given.isdecimal() and int(given) > 0, f"${VARIABLE}", given, "a whole number of pixels above 0")
    return int(given)


@contextmanager
def pillow_allows(pixels: int) -> Iterator[None]:
    """Let Pillow open images of so many pixels, which it may refuse by itself."""
    if Image.MAX_IMAGE_PIXELS is None or pixels <= 2 * Image.MAX_IMAGE_PIXELS:
        yield
        return
    with pillow_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
