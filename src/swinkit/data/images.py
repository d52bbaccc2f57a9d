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
from ..type_check import expand_home
from .paths import REMOTE
from .pillow_image import VARIABLE, OpenImage, PillowImage, pillow_allows, pixel_limit
from .tiff import MAGIC

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # the rest of Pillow's parsers never see a stranger's file
WHITE = (255, 255, 255)
RGB = 3  # channels

Picture = str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Tensor


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
    max_pixels: int | None = None,
    channels: int = RGB,
) -> Tensor:
    """Read an image as (3, h, w) uint8 RGB: a file, its bytes, a PIL image, an array or a tensor.

    Arrays are (h, w, 3) and tensors (3, h, w), both uint8.

    EXIF orientation is applied; transparent pixels are composited on `background`; 16-bit grey is scaled to
    8 bits; every other mode becomes RGB by the rules of `to_rgb`; colour profiles are ignored;
    the first frame or page is taken. The size is checked before anything is decoded; `max_pixels` None is
    the limit of `pixel_limit`.

    With `channels` other than 3, a file must store so many. They are returned as stored, (channels, h, w):
    uint8, or float32 with 1 the brightest for more than 8 bits. Nothing is composited or converted.

    Raises:
        ImageError: the file is missing, truncated, not of an allowed format, too large, has other channels,
            or its values have no known range.
        UsageError: `source` is none of these things.
    """
    name = name or name_of(source)
    most = pixel_limit() if max_pixels is None else max_pixels
    if isinstance(source, str):
        source = expand_home(source) if source else source
    if isinstance(source, np.ndarray | Tensor):
        return from_pixels(source, name, channels)
    if not isinstance(source, str | os.PathLike | bytes | bytearray | Image.Image):
        expected = (
            "a path, the bytes of a file, a PIL image, a uint8 array (h, w, 3) or a uint8 tensor (3, h, w)"
        )
        raise UsageError(f"{name}: expected {expected}, got {type(source).__name__}")
    with pillow_errors(name), pillow_allows(most):
        if isinstance(source, Image.Image):
            return decode(opened_by_pillow(source), name, background, most, channels)
        with open_image(source, name) as opened:
            return decode(opened, name, background, most, channels)


@dataclass(frozen=True)
class StoredImage:
    """An image, (3, h, w) uint8, with its mode in Pillow, and whether EXIF data turn it.

    Of other channels (C, *P), uint8 or float32, with their type and number as mode.
    """

    pixels: Tensor
    mode: str
    turned: bool


def examine(source: str | os.PathLike[str] | bytes, name: str) -> StoredImage:
    """Read an image as `load_image` does, and how it is stored; the mode shows more than 8 bits a channel.

    Raises:
        ImageError: as `load_image`.
    """
    most = pixel_limit()
    with pillow_errors(name), pillow_allows(most), open_image(source, name) as opened:
        mode, turned = opened.mode, opened.is_turned()  # before a TIFF turns itself while loading
        pixels = decode(opened, name, WHITE, most, RGB)
        return StoredImage(pixels, mode, turned or opened.is_turned())  # a PNG tells it at its end


def name_of(source: object, otherwise: str = "image") -> str:
    """Return the name of an image in messages: its path where it has one."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    return str(getattr(source, "filename", "") or otherwise)  # PIL remembers the file


def extent(size: tuple[int, int]) -> str:
    """Return a size (height, width) in pixels as people write it, width first: 451x300."""
    return f"{size[1]}x{size[0]}"


def from_pixels(pixels: np.ndarray | Tensor, name: str, channels: int = RGB) -> Tensor:
    """Copy a uint8 array (h, w, C) or tensor (C, h, w) of so many channels to (C, h, w).

    Raises:
        ImageError: another type or shape.
    """
    array = isinstance(pixels, np.ndarray)
    shape = f"an array of uint8 (h, w, {channels})" if array else f"a tensor of uint8 ({channels}, h, w)"
    expected = f"{shape}, RGB" if channels == RGB else shape
    right = pixels.ndim == 3 and pixels.shape[-1 if array else 0] == channels and 0 not in pixels.shape
    if not right or pixels.dtype != (np.uint8 if array else torch.uint8):
        raise ImageError(
            name, f"expected {expected} in [0, 255]; got {pixels.dtype} of shape {tuple(pixels.shape)}"
        )
    if isinstance(pixels, np.ndarray):
        return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous()
    return pixels.detach().as_subclass(Tensor).cpu().clone(memory_format=torch.contiguous_format)


@contextmanager
def open_image(source: str | os.PathLike[str] | bytes | bytearray, name: str) -> Iterator[OpenImage]:
    """Read the header only, by the allowed parsers only, and keep the file open."""
    if not isinstance(source, bytes | bytearray):
        found = Path(source).stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise ImageError(name, "is a pipe or a device, not a file; give the bytes of the picture instead")
    with io.BytesIO(source) if isinstance(source, bytes | bytearray) else Path(source).open("rb") as file:
        magic = file.read(4)
        if not magic:
            raise ImageError(name, "the file is empty")
        file.seek(0)
        misread = open_misread_tiff(file) if magic in MAGIC else None
        if misread is not None:
            yield misread
            return
        with Image.open(file, formats=FORMATS) as image:
            yield opened_by_pillow(image)


def open_misread_tiff(file: IO[bytes]) -> OpenImage | None:
    """Return a TIFF that Pillow misreads; None if Pillow reads it rightly, or is to refuse it."""
    from .tiff_image import open_tiff

    return open_tiff(file)


def opened_by_pillow(image: Image.Image) -> OpenImage:
    """Return an image that Pillow has opened or made."""
    if not isinstance(image, TiffImageFile):
        return PillowImage(image)
    from .tiff_image import open_tiff_of_pillow

    return open_tiff_of_pillow(image)


def decode(
    opened: OpenImage, name: str, background: tuple[int, int, int], max_pixels: int, channels: int
) -> Tensor:
    """Decode an open image: (3, h, w) uint8, or other `channels` as they are stored."""
    width, height = opened.size
    if not width or not height:
        raise ImageError(name, f"{width}x{height}: a picture without pixels")
    if width * height > max_pixels:
        raise ImageError(
            name,
            f"{width}x{height} is more than the limit of {max_pixels / 1e6:g} million pixels; "
            f"make it smaller, or allow it by {VARIABLE}={width * height}",
        )
    if channels == RGB:
        return torch.from_numpy(np.array(opened.rgb(background))).permute(2, 0, 1).contiguous()
    pixels = opened.channels()
    if len(pixels) != channels:
        raise ImageError(
            name, f"channels: {len(pixels)} are stored, {channels} expected, as many as data.mean has numbers"
        )
    return pixels.contiguous()


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
        raise ImageError(name, f"too large to decode safely: {error} {VARIABLE} allows more pixels") from None
    except Exception as error:  # Pillow's parsers raise whatever their format makes them
        raise ImageError(name, f"cannot be decoded: {str(error) or type(error).__name__}") from error
