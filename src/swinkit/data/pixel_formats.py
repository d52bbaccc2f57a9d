"""Pixels of every format as 8-bit RGB, or as the channels that are stored.

The displayed range of values follows from the file's header, never from what the picture shows.

Shapes: h, w pixels; C channels; S samples of a pixel in a TIFF.
"""

from typing import IO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .tiff import (
    ASSOCIATED,
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    FLOAT,
    GREY,
    ICCLAB,
    OTHER_INKS,
    PALETTE,
    RGB,
    UINT,
    WHITE_IS_ZERO,
    Layout,
)
from .tiff_samples import read_samples

ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
MARKED = ("1", "L", "P", "RGB")  # a file can mark one colour, or palette entries, as transparent
MODES = {GREY[0]: "L", GREY[1]: "L", RGB: "RGB", CMYK: "CMYK", CIELAB: "LAB", ICCLAB: "LAB"}
WITH_ALPHA = {("L", True): "La", ("L", False): "LA", ("RGB", True): "RGBa", ("RGB", False): "RGBA"}
GREY_MODES, CHANNELS = ("L", "La", "LA"), ("L", "LA", "F", "RGB", "RGBA", "CMYK")
COLOURS = {"L": 1, "RGB": 3, "CMYK": 4, "LAB": 3}  # of a mode without alpha
SIGNED = np.array([0, 128, 128], np.uint8)  # turns the a*, b* of ICC, from 0 on, into signed ones


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


def read_declared(file: IO[bytes], layout: Layout) -> np.ndarray:
    """Read the samples of a TIFF (h, w, S), grey with 0 as black.

    Raises:
        ValueError: one exceeds the largest value that the file declares, or they cannot be read.
    """
    samples = read_samples(file, layout)
    highest = 1 if layout.format == FLOAT else layout.highest
    if layout.significant is not None and samples.max() > highest:
        raise ValueError(
            f"values up to {samples.max()}, where its tags declare {highest} as the largest; mend the tags"
        )
    if layout.photometric == WHITE_IS_ZERO and highest is not None:
        grey = (highest - samples[..., :1]).astype(samples.dtype)
        return np.concatenate([grey, samples[..., 1:]], axis=-1)
    return samples


def read_tiff(file: IO[bytes], layout: Layout) -> Image.Image:
    """Read a TIFF in any layout as an image of 8 bits a channel, upright; Pillow misreads or refuses many.

    Raises:
        ValueError: it is no picture in colour or grey, or the range of its values is not known.
    """
    require_picture(layout)
    samples = read_declared(file, layout)
    size = samples.shape[1::-1]
    if layout.photometric == PALETTE:
        colours = np.array(layout.colours).reshape(3, -1)[:, samples[..., 0]] >> 8
        return Image.fromarray(np.ascontiguousarray(colours.transpose(1, 2, 0).astype(np.uint8)))
    mode, alpha = MODES[layout.photometric], layout.alpha
    parts = [samples[..., : COLOURS[mode]]]
    if alpha is not None and mode in ("L", "RGB"):
        associated = layout.extras[alpha - COLOURS[mode]] == ASSOCIATED if layout.extras else False
        mode = WITH_ALPHA[mode, associated]
        parts.append(samples[..., alpha : alpha + 1])
    values = np.concatenate(parts, axis=-1)
    if layout.bits == 16 and layout.highest == 65535 and mode not in GREY_MODES:
        eight = (values >> 8).astype(np.uint8)  # as Pillow does, in every layout that it reads
    else:
        eight = to_8_bits(values, layout.highest)
    return Image.frombytes(mode, size, (eight ^ SIGNED if layout.photometric == ICCLAB else eight).tobytes())


def require_picture(layout: Layout) -> None:
    """Raise ValueError unless a TIFF is grey or in colour, with values of a known range."""
    mode = "L" if layout.photometric == PALETTE else MODES.get(layout.photometric)
    if mode is None or (layout.photometric == CMYK and layout.inks == OTHER_INKS):
        raise ValueError(f"{layout}, cannot be read as a picture; save it as RGB")
    bands = layout.samples > COLOURS[mode] + 1 if mode == "L" else layout.samples < COLOURS[mode]
    if bands or (mode == "L" and layout.samples == 2 and not layout.extras):
        raise ValueError(
            f"{layout}, holds bands, not RGB; a training takes {layout.samples} channels if "
            f"data.mean and data.std have {layout.samples} numbers"
        )
    if layout.photometric == PALETTE and (
        layout.samples > 1 or layout.highest is None or len(layout.colours) != 3 << layout.bits
    ):
        raise ValueError(f"{layout}, cannot be read; save it as RGB")
    if mode == "LAB" and (layout.bits, layout.format) != (8, UINT):
        raise ValueError(f"{layout}, cannot be read; save it as RGB")
    as_16_bits = layout.photometric == BLACK_IS_ZERO and layout.bits == 32 and layout.samples == 1
    if layout.highest is None and layout.format != FLOAT and not as_16_bits:
        raise ValueError(f"{layout}, has values of no known range; store it with 8 or 16 bits, unsigned")


def channels_of_tiff(file: IO[bytes], layout: Layout) -> Tensor:
    """Read all samples of a TIFF as channels: (S, h, w), uint8, or float32 with 1 the largest of integers.

    Raises:
        ValueError: they are numbers of colours in a palette, or integers of no known range.
    """
    if layout.photometric == PALETTE:
        raise ValueError(f"{layout}, numbers colours, and holds no channels; save it as RGB or grey")
    if layout.highest is None and layout.format != FLOAT:
        raise ValueError(
            f"{layout}, has values of no known range; store it as floats, or with 8 or 16 bits, unsigned"
        )
    values = read_declared(file, layout).transpose(2, 0, 1)
    if layout.highest is None:
        with np.errstate(over="ignore"):  # becomes infinity, which is refused with the channel's number
            return torch.from_numpy(values.astype(np.float32))
    if layout.highest <= 255 and layout.bits <= 8:
        return torch.from_numpy(to_8_bits(values, layout.highest))
    return torch.from_numpy(values.astype(np.float32) / layout.highest)


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
