"""TIFFs that Pillow misreads or refuses, as 8-bit RGB or as the channels that are stored.

Shapes: h, w pixels; S samples of a pixel.
"""

from dataclasses import dataclass
from typing import IO

import numpy as np
import torch
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from .pillow_image import TURNS, OpenImage, PillowImage, to_8_bits, to_rgb
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
    layout_of,
    read_layout,
)
from .tiff_samples import read_samples

MODES = {GREY[0]: "L", GREY[1]: "L", RGB: "RGB", CMYK: "CMYK", CIELAB: "LAB", ICCLAB: "LAB"}
WITH_ALPHA = {("L", True): "La", ("L", False): "LA", ("RGB", True): "RGBa", ("RGB", False): "RGBA"}
GREY_MODES = ("L", "La", "LA")
COLOURS = {"L": 1, "RGB": 3, "CMYK": 4, "LAB": 3}  # of a mode without alpha
SIGNED = np.array([0, 128, 128], np.uint8)  # turns the a*, b* of ICC, from 0 on, into signed ones


def open_tiff(file: IO[bytes]) -> OpenImage | None:
    """Return the TIFF in `file` if Pillow does not read it rightly; None if it does, or is to refuse it."""
    layout = read_layout(file)
    return None if layout is None or layout.is_read_by_pillow() else MisreadTiff(layout, file)


def open_tiff_of_pillow(image: TiffImageFile) -> OpenImage:
    """Return a TIFF that Pillow has opened, read by Pillow where it does so rightly."""
    layout, file = layout_of(image.tag_v2), image.fp
    return PillowImage(image, layout, file) if layout.is_read_by_pillow() else MisreadTiff(layout, file)


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
