"""TIFFs in every layout of samples, written byte by byte, so that no reader checks itself; the page's tables.

Shapes: h, w pixels; S samples of a pixel.
"""

import io
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tifffile import TiffFile

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
PLAIN, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
GREY, RGB = 1, 2
NAMES = {LZW: "tiff_lzw", PACKBITS: "packbits"}
FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def pack(samples: np.ndarray, bits: int, byte_order: str) -> bytes:
    """Return the bytes of samples (h, w, S): rows of packed bits, or whole bytes in an order."""
    if bits in (8, 16, 32, 64, 128):
        return samples.astype(samples.dtype.newbyteorder(byte_order)).tobytes()
    each = (samples[..., None].astype(np.int64) >> np.arange(bits)[::-1]) & 1
    return np.packbits(each.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def compress(data: bytes, compression: int) -> bytes:
    """Compress a strip; Pillow does what Python has no library for."""
    if compression == PLAIN:
        return data
    if compression == DEFLATE:
        return zlib.compress(data)
    file = io.BytesIO()
    line = Image.frombytes("L", (len(data), 1), data)
    line.save(file, "TIFF", compression=NAMES[compression])
    file.seek(0)
    with TiffFile(file) as tiff:
        page = tiff.pages.first
    return b"".join(
        file.getvalue()[at : at + count]
        for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    )


def write_tiff(
    samples: np.ndarray,
    *,
    bits: int | None = None,
    photometric: int = GREY,
    planar: bool = False,
    byte_order: str = "<",
    compression: int = PLAIN,
    extras: Sequence[int] = (),
    rows: int | None = None,
    tags: Mapping[int, tuple[str, Sequence[int]]] | None = None,
) -> bytes:
    """Return a TIFF of samples (h, w, S) in strips of some rows, with further `tags`: type and values."""
    height, width, count = samples.shape
    bits, rows = bits or samples.dtype.itemsize * 8, rows or height
    planes = [samples[..., i : i + 1] for i in range(count)] if planar else [samples]
    parts = [plane[top : top + rows] for plane in planes for top in range(0, height, rows)]
    strips = [compress(pack(part, bits, byte_order), compression) for part in parts]
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    fields = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [bits] * count),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        273: ("I", offsets),
        277: ("H", [count]),
        278: ("I", [rows]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [2 if planar else 1]),
        339: ("H", [FORMATS[samples.dtype.kind]] * count),
        **({338: ("H", extras)} if extras else {}),
        **(tags or {}),
    }
    return assemble(fields, b"".join(strips), byte_order)


def assemble(fields: Mapping[int, tuple[str, Sequence[int]]], data: bytes, byte_order: str) -> bytes:
    """Return a TIFF of these tags; `data` begins at byte 8."""
    start = 8 + len(data) + len(data) % 2
    entries, beyond = b"", b""
    for tag, (kind, values) in sorted(fields.items()):
        packed = struct.pack(f"{byte_order}{len(values)}{kind}", *values)
        number = {"B": 1, "H": 3, "I": 4}[kind]
        if len(packed) > 4:
            place = start + 6 + 12 * len(fields) + len(beyond)
            beyond += packed + bytes(len(packed) % 2)
            packed = struct.pack(f"{byte_order}I", place)
        entries += struct.pack(f"{byte_order}HHI", tag, number, len(values)) + packed.ljust(4, b"\0")
    head = (b"II" if byte_order == "<" else b"MM") + struct.pack(f"{byte_order}HI", 42, start)
    directory = struct.pack(f"{byte_order}H", len(fields)) + entries + bytes(4)
    return head + data.ljust(start - 8, b"\0") + directory + beyond


def table_of_page(corner: str) -> dict[tuple[str, str], str]:
    """Return the cells of the table in docs/data.md with this first word, by row and column."""
    lines = PAGE.read_text(encoding="utf-8").partition(f"\n| {corner} |")[2].partition("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    return {(row[0], column): cell for row in rows for column, cell in zip(head, row[1:], strict=True)}


def colour_map(bits: int) -> list[int]:
    """Return a palette: all red, all green, all blue."""
    return [(number * step) % 65536 for step in (7919, 104729, 1299709) for number in range(2**bits)]
