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

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..errors import DataError, UsageError
from .paths import REMOTE

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # the rest of Pillow's parsers never see a stranger's file
MAX_PIXELS = 89_000_000  # above it Pillow itself suspects a decompression bomb; above twice of it, it refuses
WHITE = (255, 255, 255)
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
MARKED = ("1", "L", "P", "RGB")  # a file can mark one colour, or palette entries, as transparent

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
) -> Tensor:
    """Read an image as (3, h, w) uint8 RGB: a file, its bytes, a PIL image, an array or a tensor.

    Arrays are (h, w, 3) and tensors (3, h, w), both uint8.

    EXIF orientation is applied; transparent pixels are composited on `background`; 16-bit grey is scaled to
    8 bits; every other mode becomes RGB by the rules of `to_rgb`; colour profiles are ignored;
    the first frame or page is taken. The size is checked before anything is decoded.

    Raises:
        ImageError: the file is missing, truncated, not of an allowed format, too large, or its values have
            no known range.
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
            return decode(source, name, background, max_pixels)
        with open_image(source, name) as image:
            return decode(image, name, background, max_pixels)


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
    with pillow_errors(name), open_image(source, name) as image:
        mode = (
            f"{image.mode};16"
            if image.mode == "RGB" and ";16" in str(getattr(image, "tile", ""))
            else image.mode
        )
        stored = image.format == "TIFF" and orientation_of(image)  # which turns itself while loading
        pixels = decode(image, name, WHITE, MAX_PIXELS)
        return StoredImage(pixels, mode, bool(stored or orientation_of(image)))


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


def open_image(source: str | os.PathLike[str] | bytes | bytearray, name: str) -> Image.Image:
    """Read the header only, by the allowed parsers only."""
    if isinstance(source, bytes | bytearray):
        size, file = len(source), io.BytesIO(source)
    else:
        file = Path(source)
        found = file.stat()
        size = found.st_size
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise ImageError(name, "is a pipe or a device, not a file; give the bytes of the picture instead")
    if size == 0:
        raise ImageError(name, "the file is empty")
    return Image.open(file, formats=FORMATS)


def decode(image: Image.Image, name: str, background: tuple[int, int, int], max_pixels: int) -> Tensor:
    """Decode an open image: (3, h, w) uint8."""
    width, height = image.size
    if not width or not height:
        raise ImageError(name, f"{width}x{height}: a picture without pixels")
    if width * height > max_pixels:
        raise ImageError(
            name, f"{width}x{height} is more than the limit of {max_pixels / 1e6:g} million pixels"
        )
    rgb = to_rgb(turn_upright(image), background)
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()


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
    rgb = np.stack([to_8_bits(values, declared=image.mode.startswith("I;16"))] * 3, axis=-1)
    marked = image.info.get("transparency")
    if isinstance(marked, int):
        rgb[values == marked] = background
    return Image.fromarray(rgb)


def to_8_bits(values: np.ndarray, *, declared: bool) -> np.ndarray:
    """Convert grey (h, w) of 16 bits (`declared` by the file), 32 bits, or floats in [0, 1] to uint8.

    Raises:
        ValueError: the range of the values is not known.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.floating):
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise ValueError(
                f"floating-point values from {low:g} to {high:g} have no known range; store them in [0, 1]"
            )
        return np.rint(values * 255).astype(np.uint8)
    if not declared and not (low >= 0 and 255 < high <= 65535):
        raise ValueError(
            f"32-bit integers from {low} to {high} have no known range; store them in 8 or 16 bits"
        )
    return np.rint(values / 257).astype(np.uint8)  # 65535 / 257 = 255


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
