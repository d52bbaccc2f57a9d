"""Read one image. All of swinkit reads images here, so that all see the same pixels.

Shapes: h, w pixels; three channels, RGB, uint8 in [0, 255].
"""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from ..errors import DataError, UsageError
from .paths import REMOTE
from .pixel_formats import MODES, channels_of_image, channels_of_tiff, read_tiff, to_rgb
from .tiff import Layout, layout_of, read_layout

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # the rest of Pillow's parsers never see a stranger's file
MAX_PIXELS = 89_000_000  # above it Pillow itself suspects a decompression bomb; above twice of it, it refuses
WHITE = (255, 255, 255)
RGB = 3  # channels

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Tensor

TURNS = {  # EXIF tag 0x0112: what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(DataError):
    """An image that cannot be read; the message names the file and the reason."""

    def __init__(self, name: str, reason: str):
        super().__init__(name, reason)  # both, so that it survives pickling between processes
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        """Return `name: reason`."""
        return f"{self.name}: {self.reason}"


def load_image(
    source: Picture,
    *,
    name: str | None = None,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
    channels: int = RGB,
) -> Tensor:
    """Read an image as (3, h, w) uint8 RGB: a file, its bytes, a PIL image, an array or a tensor.

    Arrays are (h, w, 3) and tensors (3, h, w), both uint8.

    EXIF orientation is applied; transparent pixels are composited on `background`; 16-bit grey is scaled to
    8 bits; every other mode becomes RGB by the rules of `to_rgb`; colour profiles are ignored;
    the first frame or page is taken. The size is checked before anything is decoded.

    With `channels` other than 3, a file must store so many, and they are returned as stored, (channels, h, w):
    uint8, or float32 with 1 the brightest for more than 8 bits. Then nothing is composited or converted.

    Raises:
        ImageError: the file is missing, truncated, not of an allowed format, too large, has other channels, or
            its values have no known range.
        UsageError: `source` is none of these things.
    """
    name = name or name_of(source)
    if isinstance(source, np.ndarray | Tensor):
        return from_pixels(source, name)
    if not isinstance(source, str | os.PathLike | bytes | bytearray | Image.Image):
        expected = (
            "a path, the bytes of a file, a PIL image, a uint8 array (h, w, 3) or a uint8 tensor (3, h, w)"
        )
        raise UsageError(f"{name}: expected {expected}, got {type(source).__name__}")
    with pillow_errors(name):
        if isinstance(source, Image.Image):
            return decode(opened_by_pillow(source), name, background, max_pixels, channels)
        with open_image(source, name) as opened:
            return decode(opened, name, background, max_pixels, channels)


@dataclass(frozen=True)
class StoredImage:
    """An image, (3, h, w) uint8, with its mode in Pillow, and whether EXIF data turn it."""

    pixels: Tensor
    mode: str
    turned: bool


def examine(source: str | os.PathLike[str] | bytes, name: str) -> StoredImage:
    """Read an image as `load_image` does, and how it is stored; the mode shows more than 8 bits a channel.

    Raises:
        ImageError: as `load_image`.
    """
    with pillow_errors(name), open_image(source, name) as opened:
        mode, turned = opened.mode, opened.is_turned()  # before a TIFF turns itself while loading
        pixels = decode(opened, name, WHITE, MAX_PIXELS, RGB)
        return StoredImage(pixels, mode, turned or opened.is_turned())  # a PNG tells it at its end


def name_of(source: object, otherwise: str = "image") -> str:
    """Return the name of an image in messages: its path where it has one."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    return str(getattr(source, "filename", "") or otherwise)  # PIL remembers the file


def extent(size: tuple[int, int]) -> str:
    """Return a size (height, width) in pixels as people write it, width first: 451x300."""
    return f"{size[1]}x{size[0]}"


def from_pixels(pixels: np.ndarray | Tensor, name: str) -> Tensor:
    """Copy a uint8 array (h, w, 3) or tensor (3, h, w) to (3, h, w).

    Raises:
        ImageError: another type or shape.
    """
    array = isinstance(pixels, np.ndarray)
    expected = "an array of uint8 (h, w, 3), RGB" if array else "a tensor of uint8 (3, h, w), RGB"
    right = pixels.ndim == 3 and pixels.shape[-1 if array else 0] == 3 and 0 not in pixels.shape
    if not right or pixels.dtype != (np.uint8 if array else torch.uint8):
        raise ImageError(
            name, f"expected {expected} in [0, 255]; got {pixels.dtype} of shape {tuple(pixels.shape)}"
        )
    if isinstance(pixels, np.ndarray):
        return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous()
    return pixels.detach().as_subclass(Tensor).cpu().clone(memory_format=torch.contiguous_format)


@dataclass(frozen=True)
class OpenImage:
    """An image whose header was read: `image` by Pillow, unless it is a TIFF that Pillow misreads.

    Of every TIFF there is the `layout`, with the open `file`, None if Pillow has closed it.
    """

    image: Image.Image | None
    layout: Layout | None = None
    file: IO[bytes] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.image is not None:
            return self.image.size
        assert self.layout is not None
        return self.layout.size[::-1]

    @property
    def mode(self) -> str:
        """Pillow's mode, with the bits of a channel where they are more than 8 and the mode does not say it."""
        if self.image is None:
            assert self.layout is not None
            return f"{MODES.get(self.layout.photometric, 'P')};{self.layout.bits}"
        deep = self.image.mode == "RGB" and ";16" in str(getattr(self.image, "tile", ""))
        return "RGB;16" if deep else self.image.mode

    def is_turned(self) -> bool:
        """Return whether EXIF data turn the image."""
        if self.image is None:
            return self.layout is not None and self.layout.orientation in TURNS
        return orientation_of(self.image) is not None

    def rgb(self, background: tuple[int, int, int]) -> Image.Image:
        """Decode the image, upright, as RGB."""
        if self.image is None:
            assert self.layout is not None
            return to_rgb(read_tiff(self.require_file(), self.layout), background)
        refuse_marked(self.image)
        return to_rgb(turn_upright(self.image), background)

    def channels(self) -> Tensor:
        """Decode the channels that are stored, upright: (C, h, w)."""
        if self.layout is not None and (self.image is None or self.layout.is_stored_in_bytes()):
            return channels_of_tiff(self.require_file(), self.layout)
        assert self.image is not None
        return channels_of_image(turn_upright(self.image))

    def require_file(self) -> IO[bytes]:
        """Return the open file.

        Raises:
            ValueError: Pillow has closed it.
        """
        if self.file is None or self.file.closed:
            raise ValueError(f"{self.layout}, is misread by Pillow; give the file, not an image of it")
        return self.file


def opened_by_pillow(image: Image.Image) -> OpenImage:
    """Return an image that a user has opened with Pillow, which may be a TIFF that Pillow misreads."""
    if not isinstance(image, TiffImageFile):
        return OpenImage(image)
    layout = layout_of(image.tag_v2)
    return OpenImage(image if layout.is_read_by_pillow() else None, layout, image.fp)


@contextmanager
def open_image(source: str | os.PathLike[str] | bytes | bytearray, name: str) -> Iterator[OpenImage]:
    """Read the header only, by the allowed parsers only, and keep the file open."""
    if isinstance(source, bytes | bytearray):
        size, file = len(source), io.BytesIO(source)
    else:
        found = os.stat(source)
        size = found.st_size
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise ImageError(name, "is a pipe or a device, not a file; give the bytes of the picture instead")
        file = Path(source).open("rb")
    with file:
        if size == 0:
            raise ImageError(name, "the file is empty")
        layout = read_layout(file)
        if layout is not None and not layout.is_read_by_pillow():
            yield OpenImage(None, layout, file)
            return
        with Image.open(file, formats=FORMATS) as image:
            yield OpenImage(image, layout, file)


def decode(
    opened: OpenImage, name: str, background: tuple[int, int, int], max_pixels: int, channels: int
) -> Tensor:
    """Decode an open image: (3, h, w) uint8, or other `channels` as they are stored."""
    width, height = opened.size
    if not width or not height:
        raise ImageError(name, f"{width}x{height}: a picture without pixels")
    if width * height > max_pixels:
        raise ImageError(
            name, f"{width}x{height} is more than the limit of {max_pixels / 1e6:g} million pixels"
        )
    if channels == RGB:
        return torch.from_numpy(np.array(opened.rgb(background))).permute(2, 0, 1).contiguous()
    pixels = opened.channels()
    if len(pixels) != channels:
        raise ImageError(
            name, f"holds {len(pixels)} channels, where {channels} were expected, as data.mean has numbers"
        )
    return pixels.contiguous()


def refuse_marked(image: Image.Image) -> None:
    """Mend or refuse the transparent colour of a PNG whose samples Pillow has scaled to 8 bits.

    Raises:
        ValueError: of 16 bits a channel Pillow keeps 8, by which the colour can no longer be told.
    """
    stored, marked = str(getattr(image, "tile", "")), image.info.get("transparency")
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


@contextmanager
def pillow_errors(name: str) -> Iterator[None]:
    """Turn Pillow's many exceptions into ImageError with the name of the image, and hide its warnings."""
    try:
        with warnings.catch_warnings():
            # `max_pixels` decides about size; the other warnings are about damaged metadata.
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(name, REMOTE if "://" in name else "no such file") from None
    except IsADirectoryError:
        raise ImageError(name, "is a folder, not a picture") from None
    except PermissionError:
        raise ImageError(name, "permission denied") from None
    except UnidentifiedImageError:
        raise ImageError(
            name, f"not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture; convert it to one of these"
        ) from None
    except Image.DecompressionBombError as error:
        raise ImageError(name, f"too large to decode safely: {error}") from None
    except Exception as error:  # Pillow's parsers raise whatever their format makes them
        raise ImageError(name, f"cannot be decoded: {str(error) or type(error).__name__}") from error
