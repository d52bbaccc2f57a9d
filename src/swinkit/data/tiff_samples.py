"""Samples of a TIFF's first page, in any layout of `data.tiff`.

libtiff, by Pillow, decompresses each strip or tile as plain bytes. So no further parser meets the file, and
no strip grows beyond its stated size. Which bytes are which sample follows from the tags, here.

Shapes: h, w pixels, upright; S samples of a pixel.
"""

import io
import struct
from typing import IO

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from .pillow_image import VARIABLE, pixel_limit
from .tiff import FLOAT, FORMATS, INT, PLAIN, Layout

MAX_SAMPLES = 4  # of a pixel, on the average of a page with the margins of its tiles
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
TURNS = {  # tag Orientation: what turns stored samples upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3  # tag Predictor


def read_samples(file: IO[bytes], layout: Layout) -> np.ndarray:
    """Read the samples of a page: (h, w, S), of the smallest type that holds them.

    Raises:
        ValueError: the page is truncated, damaged, too large, or of a layout that cannot be read.
    """
    require_readable(layout)
    (height, width), (rows, columns) = layout.size, layout.piece
    down, across = -(-height // rows), -(-width // columns)
    planes, each = (layout.samples, 1) if layout.planar else (1, layout.samples)
    pieces = planes * down * across
    most, needed = MAX_SAMPLES * pixel_limit(), pieces * rows * columns * each
    if needed > most:
        raise ValueError(
            f"{layout}, {width}x{height} pixels: more than the limit of {most / 1e6:g} million samples; "
            f"allow it by {VARIABLE}={-(-needed // MAX_SAMPLES)}"
        )
    if len(layout.offsets) != pieces or len(layout.counts) != pieces:
        raise ValueError(f"{layout}, with {len(layout.offsets)} of {pieces} strips or tiles")
    samples = np.empty((height, width, layout.samples), kind_of(layout))
    for i, (offset, count) in enumerate(zip(layout.offsets, layout.counts, strict=True)):
        plane, place = divmod(i, down * across)
        top, left = place // across * rows, place % across * columns
        stored = rows if layout.tiled else min(rows, height - top)
        data = read_piece(file, layout, offset, count, (stored, -(-columns * each * layout.bits // 8)))
        piece = unpack(data, layout, (stored, columns, each))[: height - top, : width - left]
        planes_of = slice(plane, plane + 1) if layout.planar else slice(None)
        samples[top : top + rows, left : left + columns, planes_of] = piece
    return TURNS.get(layout.orientation, np.asarray)(samples)


def require_readable(layout: Layout) -> None:
    """Raise ValueError for a layout that cannot be read, with the way to store the picture instead."""
    if layout.part:
        raise ValueError(
            f"{layout}: its first page is a small copy, a mask or a volume; save the whole picture alone"
        )
    if not layout.is_stored_in_bytes():
        raise ValueError(
            f"{layout}, with compression {layout.compression}, cannot be read; save it with Deflate or LZW"
        )
    whole = layout.bits in (8, 16, 32, 64)
    odd = layout.format not in FORMATS or not (whole or 0 < layout.bits < 16)
    if odd or (layout.format == FLOAT and layout.bits == 8) or (layout.format in (INT, FLOAT) and not whole):
        raise ValueError(f"{layout}, cannot be read; save it with 8 or 16 bits a sample, unsigned")
    known = (1,) if not whole else (1, DIFFERENCES, *([FLOAT_DIFFERENCES] if layout.format == FLOAT else []))
    if layout.predictor not in known:
        raise ValueError(f"{layout}, with predictor {layout.predictor}, cannot be read; save it without one")
    if not all((*layout.size, *layout.piece, layout.samples)):
        raise ValueError(f"{layout}: a picture without pixels")


def kind_of(layout: Layout) -> np.dtype:
    """Return the type of the samples in memory."""
    letter = {INT: "i", FLOAT: "f"}.get(layout.format, "u")
    return np.dtype(f"{letter}{1 if layout.bits <= 8 else 2 if layout.bits <= 16 else layout.bits // 8}")


def read_piece(file: IO[bytes], layout: Layout, offset: int, count: int, size: tuple[int, int]) -> np.ndarray:
    """Read a strip or tile and decompress it: `size` (rows, bytes of a row), uint8.

    Raises:
        ValueError: it is truncated or damaged.
    """
    expected = size[0] * size[1]
    file.seek(offset)
    wanted = expected if layout.compression == PLAIN else min(count, 2 * expected + 1024)
    data = file.read(wanted)
    if len(data) < wanted:
        raise ValueError(f"{layout} is truncated: a strip or tile ends after {len(data)} of {wanted} bytes")
    if layout.reversed_bits:
        data = data.translate(REVERSED)
    if layout.compression == PLAIN:
        return np.frombuffer(data, np.uint8).reshape(size)
    try:
        with TiffImageFile(io.BytesIO(tiff_of_bytes(data, layout.compression, size))) as image:
            return np.asarray(image).reshape(size)
    except OSError:
        raise ValueError(f"{layout}, is damaged: a strip or tile cannot be decompressed") from None


def tiff_of_bytes(data: bytes, compression: int, size: tuple[int, int]) -> bytes:
    """Return a grey TIFF whose 8-bit pixels, `size` (h, w), are bytes that are compressed in `data`."""
    height, width = size
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: height}
    tags[279] = len(data)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory


def unpack(data: np.ndarray, layout: Layout, shape: tuple[int, int, int]) -> np.ndarray:
    """Turn the bytes of a strip or tile into samples: (h, bytes of a row) -> (h, w, S)."""
    kind = kind_of(layout)
    if layout.bits not in (8, 16, 32, 64):  # packed, the highest bit first
        bits = np.unpackbits(data, axis=1, count=shape[1] * shape[2] * layout.bits)
        bits = bits.reshape(*shape, layout.bits)
        return bits @ (1 << np.arange(layout.bits)[::-1]).astype(kind)
    if layout.predictor == FLOAT_DIFFERENCES:
        return unpack_float_differences(data, kind, shape)
    values = data.view(np.dtype(f"{layout.byte_order}{kind.char}")).reshape(shape)
    if layout.predictor == DIFFERENCES:
        unsigned = values.astype(kind).view(f"u{kind.itemsize}")
        return np.cumsum(unsigned, axis=1, dtype=unsigned.dtype).view(kind)
    return values


def unpack_float_differences(data: np.ndarray, kind: np.dtype, shape: tuple[int, int, int]) -> np.ndarray:
    """Undo the predictor of floats: rows hold all first bytes, then all second ones, as differences."""
    height, width, each = shape
    steps = data.reshape(height, width * kind.itemsize, each)
    stored = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(height, kind.itemsize, width * each)
    return np.ascontiguousarray(stored.swapaxes(1, 2)).view(kind.newbyteorder(">")).reshape(shape)
