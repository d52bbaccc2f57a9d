"""Read one picture. Every path of swinkit reads pictures here, so all see the same pixels.

Shapes: h, w pixels; three channels, RGB, uint8 in [0, 255].
"""

import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")  # the rest of Pillow's parsers never see a stranger's file
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 89_000_000  # above it Pillow itself suspects a decompression bomb
WHITE = (255, 255, 255)

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], over ImageNet's training images, as in timm and torchvision
IMAGENET_STD = (0.229, 0.224, 0.225)


class ImageError(DataError):
    """A picture that cannot be read; the message names the file and the reason."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


def load_image(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    name: str | None = None,
    background: tuple[int, int, int] = WHITE,
    max_pixels: int = MAX_PIXELS,
) -> Tensor:
    """(3, h, w) uint8 RGB of a file, its bytes, or an opened picture, upright.

    EXIF orientation is applied; transparent pixels are composited on `background`; 16-bit grey is scaled
    to 8 bits; CMYK, palette and grey pictures become RGB; colour profiles are ignored; of an animation
    the first frame is taken. The size is checked before anything is decoded.

    Raises:
        ImageError: the file is missing, truncated, not of an allowed format, too large, or its values have no known range.
    """
    name = name or (str(source) if isinstance(source, str | os.PathLike) else "image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `max_pixels` decides
            image = source if isinstance(source, Image.Image) else open_image(source)
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(name, f"{width}x{height} is more than the limit of {max_pixels / 1e6:.0f} million pixels")
            return to_rgb(upright(image), name, background)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(name, "no such file") from None
    except IsADirectoryError:
        raise ImageError(name, "is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise ImageError(name, f"not a picture of a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError as error:
        raise ImageError(name, f"too large to decode safely: {error}") from None
    except Exception as error:  # Pillow's parsers raise whatever their format makes them: OSError, SyntaxError, struct.error, ...
        raise ImageError(name, f"cannot be decoded: {error or type(error).__name__}") from error


def open_image(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """Read the header only, by the allowed parsers only."""
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)


def upright(image: Image.Image) -> Image.Image:
    """Turned as the camera's EXIF orientation says."""
    return ImageOps.exif_transpose(image)


def to_rgb(image: Image.Image, name: str, background: tuple[int, int, int]) -> Tensor:
    """(3, h, w) uint8, by an explicit rule for every mode."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(to_8_bits(np.asarray(image), name))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image)
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


def to_8_bits(values: np.ndarray, name: str) -> np.ndarray:
    """(h, w) grey of 16 bits, or of floats in [0, 1] -> uint8. Pillow's own conversion would clip.

    Raises:
        ImageError: the range of the values is not known.
    """
    low, high = values.min(), values.max()
    if np.issubdtype(values.dtype, np.floating):
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise ImageError(name, f"floating-point values from {low:g} to {high:g} have no known range; store them in [0, 1]")
        return np.rint(values * 255).astype(np.uint8)
    if low < 0 or high > 65535:
        raise ImageError(name, f"integer values from {low} to {high} have no known range; store them in 8 or 16 bits")
    return np.rint(values / 257).astype(np.uint8)  # 65535 / 257 = 255


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The pictures that files, folders (searched to their depths) and globs name, in a stable order.

    Raises:
        DataError: a path does not exist, or a folder or glob holds no picture.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise DataError(f"{path}: no pictures in this folder (looked for {', '.join(SUFFIXES)})")
            found += inside
        elif path.exists():
            found.append(path)
        elif any(sign in str(path) for sign in "*?["):
            anchor = Path(path.anchor) if path.anchor else Path()
            matches = sorted(file for file in anchor.glob(str(path.relative_to(path.anchor))) if file.is_file())
            if not matches:
                raise DataError(f"{path}: nothing matches")
            found += matches
        else:
            raise DataError(f"{path}: no such file or folder")
    return list(dict.fromkeys(found))
