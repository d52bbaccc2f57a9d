"""Tiny pictures of every kind that a stranger may bring, each with the pixels that must be read.

Made here, so that no file of unknown origin lies in the repository.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from .tiffs import write_tiff

EXIF_ORIENTATION = 0x0112
RAMP = np.array(
    [[[0, 40, 80], [255, 200, 10]], [[12, 34, 56], [90, 250, 130]], [[255, 255, 255], [0, 0, 0]]], np.uint8
)
WIDE = np.array([[0, 300, 32768], [1000, 65535, 257]], np.uint16)  # the case that Pillow clips
WIDE_AS_8 = [[0, 1, 128], [4, 255, 1]]  # value / 257, rounded
ORIENTED = {  # EXIF orientation: what a camera stores of an upright picture (h, w, 3); EXIF 2.3, tag 0x0112
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a),  # turned to the right for viewing, so stored turned to the left
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@dataclass(frozen=True)
class Sample:
    """A file's bytes, and the (h, w, 3) pixels that they mean, to within `tolerance` (for lossy formats)."""

    name: str
    data: bytes
    pixels: np.ndarray
    tolerance: int = 0
    opens: bool = True  # with Pillow


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """As a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def grey(values) -> np.ndarray:
    """(h, w) -> (h, w, 3)."""
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=-1)


def flat(colour, height=4, width=5) -> np.ndarray:
    """One colour."""
    return np.full((height, width, 3), colour, np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], extra: bytes = b"") -> bytes:
    """Return a PNG from its raw rows, for what Pillow reads but does not write."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(values: np.ndarray, byte_order: str, sample_format: int = 1) -> bytes:
    """Return an uncompressed grey TIFF in either byte order."""
    height, width = values.shape
    bits = values.dtype.itemsize * 8
    pixels = values.astype(values.dtype.newbyteorder(byte_order)).tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags += [(279, len(pixels)), (339, sample_format)]
    entries = b"".join(struct.pack(f"{byte_order}HHII", tag, 4, 1, value) for tag, value in tags)
    head = (b"II" if byte_order == "<" else b"MM") + struct.pack(f"{byte_order}HI", 42, 8 + len(pixels))
    return head + pixels + struct.pack(f"{byte_order}H", len(tags)) + entries + bytes(4)


def plain() -> list[Sample]:
    """RGB, grey, black and white in every lossless container."""
    rgb, row = Image.fromarray(RAMP), Image.fromarray(RAMP[..., 0])
    samples = [Sample(f"rgb.{kind.lower()}", encode(rgb, kind), RAMP) for kind in ("PNG", "BMP", "TIFF")]
    samples += [
        Sample(f"grey.{kind.lower()}", encode(row, kind), grey(RAMP[..., 0]))
        for kind in ("PNG", "BMP", "TIFF")
    ]
    bits = Image.fromarray(np.array([[0, 255, 255], [255, 0, 0]], np.uint8)).convert("1")
    expected = grey([[0, 255, 255], [255, 0, 0]])
    samples += [
        Sample(f"bits.{kind.lower()}", encode(bits, kind), expected) for kind in ("PNG", "BMP", "TIFF")
    ]
    samples.append(Sample("rgb.webp", encode(rgb, "WEBP", lossless=True), RAMP))
    samples += [
        Sample(f"{c}.tiff", encode(rgb, "TIFF", compression=c), RAMP)
        for c in ("tiff_lzw", "tiff_deflate", "packbits")
    ]
    samples.append(Sample("interlaced.png", INTERLACED, grey([[7]])))
    samples.append(Sample("two_bits.png", png(4, 1, 2, 0, [b"\x1b"]), grey([[0, 85, 170, 255]])))
    samples.append(Sample("one_pixel.png", encode(Image.fromarray(RAMP[:1, :1]), "PNG"), RAMP[:1, :1]))
    line = np.arange(3000 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 3000, 3)
    return [*samples, Sample("line.png", encode(Image.fromarray(line), "PNG"), line)]


INTERLACED = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1))
    + chunk(b"IDAT", zlib.compress(b"\0\x07"))
    + chunk(b"IEND", b"")
)


def jpegs() -> list[Sample]:
    """Flat colours, which JPEG keeps to a few levels."""
    red = Image.fromarray(flat((200, 30, 60), 16, 16))
    pixels = flat((200, 30, 60), 16, 16)
    samples = [
        Sample("baseline.jpg", encode(red, "JPEG", quality=95), pixels, 3),
        Sample("progressive.jpg", encode(red, "JPEG", quality=95, progressive=True), pixels, 3),
        Sample("full_chroma.jpg", encode(red, "JPEG", quality=95, subsampling=0), pixels, 3),
        Sample(
            "grey.jpg", encode(red.convert("L"), "JPEG", quality=95), grey(np.asarray(red.convert("L"))), 2
        ),
        Sample("lossy.webp", encode(red, "WEBP", quality=95), pixels, 4),
        Sample("jpeg_inside.tiff", encode(red, "TIFF", compression="jpeg", quality=95), pixels, 3),
    ]
    inks = Image.new(
        "CMYK", (16, 16), (255, 0, 0, 51)
    )  # cyan, a fifth of black; Pillow writes it as Adobe does
    cyan = flat((0, 204, 204), 16, 16)
    samples.append(Sample("cmyk_adobe.jpg", encode(inks, "JPEG", quality=95), cyan, 3))
    samples.append(Sample("cmyk.tiff", encode(inks, "TIFF"), cyan))
    ycbcr = red.convert("YCbCr")
    samples.append(Sample("ycbcr.jpg", encode(ycbcr, "JPEG", quality=95), pixels, 3))
    lab = Image.new("LAB", (4, 4), (255, 128, 128))
    return [*samples, Sample("lab.tiff", encode(lab, "TIFF"), flat((255, 255, 255), 4, 4), 1)]


def wide() -> list[Sample]:
    """More than 8 bits a channel."""
    expected = grey(WIDE_AS_8)
    big = WIDE.astype(">u2")
    samples = [
        Sample("grey16.png", encode(Image.fromarray(WIDE), "PNG"), expected),
        Sample("grey16_little.tiff", tiff(WIDE, "<"), expected),
        Sample("grey16_big.tiff", tiff(WIDE, ">"), expected),
        Sample("grey32.tiff", tiff(WIDE.astype(np.int32), "<", 2), expected),
        Sample(
            "float.tiff",
            tiff(np.array([[0, 0.5], [0.2, 1]], np.float32), "<", 3),
            grey([[0, 128], [51, 255]]),
        ),
    ]
    samples.append(
        Sample("rgb16.png", png(2, 1, 16, 2, [big[:, :].tobytes()]), np.array([[[0, 1, 128], [3, 255, 1]]]))
    )
    marked = chunk(b"tRNS", struct.pack(">H", 300))
    samples.append(
        Sample("grey16_marked.png", png(3, 1, 16, 0, [big[0].tobytes()], marked), grey([[0, 255, 128]]))
    )
    half = struct.pack(">HH", 0x4040, 0x8080)  # grey 64, alpha 128 of 255
    return [*samples, Sample("grey16_alpha.png", png(1, 1, 16, 4, [half]), grey([[159]]), 1)]


def transparent() -> list[Sample]:
    """On white: opaque stays, clear becomes white, half becomes the middle."""
    rgba = np.array([[[200, 10, 10, 0], [200, 10, 10, 255], [0, 0, 0, 128]]], np.uint8)
    expected = np.array([[[255, 255, 255], [200, 10, 10], [127, 127, 127]]])
    image = Image.fromarray(rgba)
    samples = [Sample(f"rgba.{kind.lower()}", encode(image, kind), expected, 1) for kind in ("PNG", "TIFF")]
    samples.append(Sample("rgba.webp", encode(image, "WEBP", lossless=True, exact=True), expected, 1))
    la = Image.merge(
        "LA", (Image.fromarray(np.uint8([[10, 10, 0]])), Image.fromarray(np.uint8([[0, 255, 128]])))
    )
    samples.append(Sample("la.png", encode(la, "PNG"), grey([[255, 10, 127]]), 1))
    palette = Image.fromarray(np.uint8([[0, 1, 2]])).convert("P")
    palette.putpalette([200, 10, 10, 20, 30, 40, 0, 255, 0])
    colours = np.array([[[200, 10, 10], [20, 30, 40], [0, 255, 0]]])
    samples += [
        Sample(f"palette.{kind.lower()}", encode(palette, kind), colours) for kind in ("PNG", "BMP", "TIFF")
    ]
    one_clear = np.array([[[200, 10, 10], [255, 255, 255], [0, 255, 0]]])
    samples.append(Sample("palette_one_clear.png", encode(palette, "PNG", transparency=1), one_clear))
    degrees = np.array([[[255, 255, 255], [20, 30, 40], [127, 255, 127]]])
    samples.append(
        Sample("palette_alpha.png", encode(palette, "PNG", transparency=bytes([0, 255, 128])), degrees, 1)
    )
    marked = png(2, 1, 8, 2, [bytes([1, 2, 3, 4, 5, 6])], chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
    samples.append(Sample("rgb_marked.png", marked, np.array([[[255, 255, 255], [4, 5, 6]]])))
    grey_marked = png(2, 1, 8, 0, [bytes([9, 77])], chunk(b"tRNS", struct.pack(">H", 9)))
    return [*samples, Sample("grey_marked.png", grey_marked, grey([[255, 77]]))]


def oriented() -> list[Sample]:
    """Return the eight EXIF orientations in every container that carries them, and damaged EXIF data."""
    samples = []
    for orientation, store in ORIENTED.items():
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        stored = Image.fromarray(np.ascontiguousarray(store(RAMP)))
        for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
            data = encode(stored, kind, exif=exif, **options)
            samples.append(Sample(f"orientation_{orientation}.{kind.lower()}", data, RAMP))
        large = np.kron(RAMP, np.ones((16, 16, 1), np.uint8))
        data = encode(
            Image.fromarray(np.ascontiguousarray(store(large))), "JPEG", quality=100, subsampling=0, exif=exif
        )
        samples.append(Sample(f"orientation_{orientation}.jpg", data, large, 6))
    red = Image.fromarray(flat((200, 30, 60), 16, 16))
    for name, exif in (("unknown", Image.Exif()), ("damaged", b"Exif\0\0NOT A TIFF AT ALL")):
        if isinstance(exif, Image.Exif):
            exif[EXIF_ORIENTATION] = 9
        data = encode(red, "JPEG", quality=95, exif=exif)
        samples.append(Sample(f"{name}_orientation.jpg", data, flat((200, 30, 60), 16, 16), 3))
    return samples


def odd() -> list[Sample]:
    """Several frames or pages, colour profiles, data after the end."""
    first, second = Image.fromarray(RAMP), Image.fromarray(RAMP[::-1].copy())
    several = {"save_all": True, "append_images": [second]}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    return [
        Sample("animation.webp", encode(first, "WEBP", lossless=True, **several), RAMP),
        Sample("animation.png", encode(first, "PNG", **several), RAMP),
        Sample("pages.tiff", encode(first, "TIFF", **several), RAMP),
        Sample("profile.png", encode(first, "PNG", icc_profile=profile), RAMP),
        Sample("damaged_profile.png", encode(first, "PNG", icc_profile=b"no profile"), RAMP),
        Sample("more_after_the_end.png", encode(first, "PNG") + b"and more", RAMP),
        Sample("wrong_ending.jpg", encode(first, "PNG"), RAMP),
    ]


def scientific() -> list[Sample]:
    """Return TIFFs that Pillow misreads or refuses."""
    deep = RAMP.astype(np.uint16) * 257
    twelve = np.array([[0, 4095, 2048]], np.uint16)[..., None]
    declared = {281: ("H", [4095])}
    return [
        Sample("planes.tiff", write_tiff(deep, photometric=2, planar=True), RAMP),
        Sample("planes_lzw.tiff", write_tiff(deep, photometric=2, planar=True, compression=5), RAMP),
        Sample("white_is_zero.tiff", write_tiff(deep[..., :1], photometric=0), grey(255 - RAMP[..., 0])),
        Sample(
            "packed.tiff", write_tiff(twelve, bits=12, byte_order=">"), grey([[0, 255, 128]]), opens=False
        ),
        Sample("declared.tiff", write_tiff(twelve, tags=declared, compression=8), grey([[0, 255, 128]])),
    ]


@cache
def corpus() -> tuple[Sample, ...]:
    """All of them."""
    return (*plain(), *jpegs(), *wide(), *transparent(), *oriented(), *odd(), *scientific())
