"""Images whose header was read, and whose pixels are decoded when they are asked for."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import IO

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from .pixel_formats import MODES, channels_of_image, channels_of_tiff, read_tiff, to_rgb
from .tiff import Layout, layout_of

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
    layout: Layout | None = None
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
            return MisreadTiff(self.layout, self.file).channels()  # Pillow leaves out what is no colour
        return channels_of_image(turn_upright(self.image))


@dataclass(frozen=True)
class MisreadTiff(OpenImage):
    """A TIFF that Pillow misreads or refuses; `file` is None if Pillow has closed it."""

    layout: Layout
    file: IO[bytes] | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.layout.size
        return width, height

    @property
    def mode(self) -> str:
        """Pillow's mode, with the bits of a channel."""
        return f"{MODES.get(self.layout.photometric, 'P')};{self.layout.bits}"

    def is_turned(self) -> bool:
        """Return whether its orientation turns it."""
        return self.layout.orientation in TURNS

    def rgb(self, background: tuple[int, int, int]) -> Image.Image:
        """Decode it, upright, as RGB."""
        return to_rgb(read_tiff(self.require_file(), self.layout), background)

    def channels(self) -> Tensor:
        """Decode the channels that are stored, upright: (C, h, w)."""
        return channels_of_tiff(self.require_file(), self.layout)

    def require_file(self) -> IO[bytes]:
        """Return the open file.

        Raises:
            ValueError: Pillow has closed it.
        """
        if self.file is None or self.file.closed:
            raise ValueError(f"{self.layout}, is misread by Pillow; give the file, not an image of it")
        return self.file


def opened_by_pillow(image: Image.Image) -> OpenImage:
    """Return an image that a user has opened or made with Pillow."""
    if not isinstance(image, TiffImageFile):
        return PillowImage(image)
    layout = layout_of(image.tag_v2)
    return (
        PillowImage(image, layout, image.fp) if layout.is_read_by_pillow() else MisreadTiff(layout, image.fp)
    )


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
