"""Data sets of numpy files (.npy): one array with the channels last for each sample.

Shapes: C channels, *P size in pixels.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from .channels import Channels
from .dataset import ALL, ImageDataset
from .folders import content_of, is_hidden
from .images import ImageError, StoredImage

SUFFIX = ".npy"
MAX_NUMBERS = 2**30  # of one array; a header may claim any number
LARGEST = {"uint8": 255, "uint16": 65535, "float16": 1, "float32": 1}  # the brightest value, by type
READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def is_array(name: str) -> bool:
    """Return whether a file has the suffix of an array, and is neither hidden nor added by macOS."""
    return name.lower().endswith(SUFFIX) and not is_hidden(name)


@dataclass(frozen=True, kw_only=True)
class ArrayDataset(ImageDataset):
    """Arrays (*P, channels), or (*P) of one channel, for models of so many `axes`."""

    axes: int
    channels: Channels

    def read_image(self, index: int) -> Tensor:
        """Read one array: (C, *P), uint8 as stored, uint16 as float32 in [0, 1], floats as float32.

        Raises:
            ImageError: the file cannot be read, has another shape or type, or values that are not usable.
        """
        return self.as_pixels(self.read_stored(index), self.content.place(index))

    def examine(self, index: int) -> StoredImage:
        """Read one array as `read_image` does, and the type and number of its channels as mode.

        Raises:
            ImageError: as `read_image`.
        """
        array = self.read_stored(index)
        mode = f"{array.dtype.name} x {self.channels.count}"
        return StoredImage(self.as_pixels(array, self.content.place(index)), mode, turned=False)

    def read_stored(self, index: int) -> np.ndarray:
        """Read one array with the channels last: (*P, C).

        Raises:
            ImageError: the file cannot be read, or has another shape or type.
        """
        name = self.content.place(index)
        array = read_array(self.content.read(index), name)
        if self.channels.count == 1 and array.ndim == self.axes:
            array = array[..., None]
        if array.ndim != self.axes + 1 or array.shape[-1] != self.channels.count:
            wanted = f"{self.axes} axes and {self.channels.count} channels, the last axis,"
            raise ImageError(name, f"holds an array of shape {array.shape}; {wanted} were expected")
        return array

    def as_pixels(self, array: np.ndarray, name: str) -> Tensor:
        """Turn an array (*P, C) into pixels (C, *P): uint8, or float32 with 1 the brightest.

        Raises:
            ImageError: a value is not usable.
        """
        pixels = torch.from_numpy(np.moveaxis(array, -1, 0).copy())
        pixels = pixels if array.dtype == np.uint8 else pixels.float() / LARGEST[array.dtype.name]
        self.channels.require_usable(pixels, name)
        return pixels


def load_array(path: Path, axes: int, channels: Channels) -> Tensor:
    """Read one array file as pixels (C, *P): uint8, or float32 with 1 the brightest.

    Raises:
        ImageError: as `ArrayDataset.read_image`.
    """
    content = content_of(path.parent, [path.name])
    return ArrayDataset(path.parent, ALL, content, axes=axes, channels=channels).read_image(0)


def read_array(source: Path | bytes, name: str) -> np.ndarray:
    """Read the array in a file or its bytes, without running anything in it or trusting its header.

    Raises:
        ImageError: it is no array, is cut short, is too large or has an unsupported type.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return parse_array(file, name)
    except OSError as error:
        raise ImageError(name, error.strerror or str(error)) from None


def array_shape(source: Path | bytes, name: str) -> tuple[int, ...]:
    """Read the shape of the array in a file or its bytes.

    Raises:
        ImageError: it is no array.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return parse_header(file, name)[0]
    except OSError as error:
        raise ImageError(name, error.strerror or str(error)) from None


def parse_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return shape, order (True: by columns) and type of the array in an open file."""
    try:
        return READERS[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError, EOFError, SyntaxError, TypeError) as error:
        raise ImageError(name, f"is no array of numpy's format: {error}") from None


def parse_array(file: IO[bytes], name: str) -> np.ndarray:
    """Read the array in an open file, as `read_array` does."""
    shape, by_columns, kind = parse_header(file, name)
    if kind.name not in LARGEST:
        raise ImageError(name, f"holds {kind.name}; numbers must be {', '.join(LARGEST)}")
    count = math.prod(shape)
    if not 0 < count <= MAX_NUMBERS:
        raise ImageError(name, f"holds an array of shape {shape}; between 1 and 2^30 numbers are read")
    data = file.read(count * kind.itemsize)
    if len(data) < count * kind.itemsize:
        raise ImageError(name, f"is cut short: {len(data)} of {count * kind.itemsize} bytes are there")
    array = np.frombuffer(data, kind).reshape(shape, order="F" if by_columns else "C")
    return array.astype(kind.newbyteorder("="))
