"""Layout of a TIFF's first page: what its tags say of its pixels, and whether Pillow reads them rightly.

Shapes: h, w pixels as stored, before the orientation is applied; S samples of a pixel.
"""

import re
from dataclasses import dataclass
from typing import IO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # of TIFF and BigTIFF, in either byte order
UNREAD = MAGIC[3]  # not by Pillow, whose reader of tags is used
UINT, INT, FLOAT, UNDEFINED = 1, 2, 3, 4  # tag SampleFormat
FORMATS = {UINT: "unsigned", INT: "signed", FLOAT: "floating-point", UNDEFINED: "unsigned"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
PHOTOMETRIC = {  # tag PhotometricInterpretation: name, and number of colours
    WHITE_IS_ZERO: ("grey with white as zero", 1),
    BLACK_IS_ZERO: ("grey", 1),
    RGB: ("RGB", 3),
    PALETTE: ("a palette", 1),
    CMYK: ("CMYK", 4),
    YCBCR: ("YCbCr", 3),
    CIELAB: ("CIE L*a*b*", 3),
    ICCLAB: ("ICC L*a*b*", 3),
}
GREY = (WHITE_IS_ZERO, BLACK_IS_ZERO)
ANY_EXTRA, ASSOCIATED, UNASSOCIATED = 0, 1, 2  # tag ExtraSamples: no stated meaning, or alpha
COREL = 999  # alpha, as Corel Draw 10 wrote it
ALPHA = (ASSOCIATED, UNASSOCIATED, COREL)
PLAIN = 1  # tag Compression: none
BYTE_COMPRESSIONS = (5, 8, 32773, 32946, 34925, 50000)  # LZW, Deflate, PackBits, Deflate, LZMA, Zstandard
PREDICTED = (5, 8, 32946, 34925, 50000)  # those of them that the tag Predictor is about
SMALL_COPY, MASK = 1, 4  # tag NewSubfileType
OTHER_INKS = 2  # tag InkSet: other inks than CMYK
SIGNIFICANT = re.compile(r'\bSignificantBits="(\d{1,2})"')  # OME-XML


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Layout of the (h, w, S) samples of a TIFF's first page. Fields are values of tags, but for sizes.

    `piece` is the size (h, w) of a strip or tile, `significant` the bits of a sample that the file declares
    to be in use, if fewer than `bits`.
    """

    size: tuple[int, int]
    photometric: int
    bits: int
    format: int
    samples: int
    extras: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    reversed_bits: bool
    byte_order: str
    orientation: int
    piece: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    significant: int | None
    colours: tuple[int, ...]  # of the palette: all red, all green, all blue, 16 bits each
    subsampled: bool
    inks: int
    part: bool  # whether it is a small copy or a mask of another page, or a volume

    def __str__(self) -> str:
        """Describe it for messages."""
        name = PHOTOMETRIC.get(self.photometric, (f"photometric interpretation {self.photometric}", 0))[0]
        planes = "in planes, " if self.planar else ""
        kind = FORMATS.get(self.format, "complex")
        return f"a TIFF of {name}, {planes}{self.samples} x {self.bits} bits, {kind}"

    @property
    def highest(self) -> int | None:
        """The largest value of a sample by its tags; None of floats, signed and wide integers."""
        if self.format not in (UINT, UNDEFINED) or (self.bits > 16 and self.significant is None):
            return None
        return 2 ** (self.significant or self.bits) - 1

    @property
    def alpha(self) -> int | None:
        """Number of the sample that is alpha; None if there is none."""
        _, colours = PHOTOMETRIC.get(self.photometric, ("", 0))
        if self.photometric == RGB and self.samples == colours + 1 and not self.extras:
            return colours  # as Pillow and others take files that do not say it
        return next((colours + i for i, extra in enumerate(self.extras) if extra in ALPHA), None)

    def is_stored_in_bytes(self) -> bool:
        """Return whether its strips or tiles are plain bytes, compressed or not, rather than JPEG or fax."""
        return self.compression == PLAIN or self.compression in BYTE_COMPRESSIONS

    def is_read_by_pillow(self) -> bool:
        """Return whether Pillow's own pixels are right; `tests/data/test_tiff.py` compares every layout."""
        if self.part:
            return False
        if not self.is_stored_in_bytes():
            return not self.planar and self.bits in (1, 8) and self.format == UINT  # JPEG, fax, WebP
        if self.planar or self.reversed_bits or self.format != UINT or self.significant is not None:
            return False
        if self.photometric == YCBCR:
            return self.bits == 8 and (self.samples == 1 or (self.samples == 3 and not self.subsampled))
        if self.samples == 1:
            deep = self.bits == 16 and self.photometric == BLACK_IS_ZERO
            return deep or (self.bits in (1, 2, 4, 8) and self.photometric in (*GREY, PALETTE))
        with_one = self.extras in ((), (ANY_EXTRA,), (ASSOCIATED,), (UNASSOCIATED,), (COREL,))
        if self.photometric in (BLACK_IS_ZERO, PALETTE):
            return self.bits == 8 and self.samples == 2 and with_one
        if self.photometric == RGB:
            deep = self.bits == 16 and COREL not in self.extras
            return (self.bits == 8 or deep) and self.samples in (3, 4) and with_one
        whole = self.samples == PHOTOMETRIC.get(self.photometric, ("", 0))[1]
        inks = self.photometric == CMYK and self.inks != OTHER_INKS and self.bits in (8, 16)
        return whole and (inks or (self.photometric == CIELAB and self.bits == 8))


def read_layout(file: IO[bytes]) -> Layout | None:
    """Read the layout of the first page of an open file; None if it is no TIFF. Leaves the file at its start.

    Raises:
        ValueError: a tag is missing or of a wrong kind.
    """
    head = file.read(4)
    file.seek(0)
    if head not in MAGIC:
        return None
    if head == UNREAD:
        raise ValueError("a BigTIFF in big-endian byte order cannot be read; save it as a plain TIFF")
    tags = ImageFileDirectory_v2(file.read(16 if b"+" in head else 8))
    file.seek(tags.next)
    tags.load(file)
    file.seek(0)
    return layout_of(tags)


def layout_of(tags: ImageFileDirectory_v2) -> Layout:
    """Return the layout that the tags of a page state.

    Raises:
        ValueError: a tag is missing or of a wrong kind.
    """
    height, width = integer(tags, 257), integer(tags, 256)
    samples, compression = integer(tags, 277, 1), integer(tags, 259, PLAIN)
    each = integers(tags, 258, (1,))
    formats = integers(tags, 339, (UINT,))
    tiled = 322 in tags
    piece = (integer(tags, 323), integer(tags, 322)) if tiled else (integer(tags, 278, height), width)
    bits = each[0] if len(set(each)) == 1 else 0
    form = formats[0] if len(set(formats)) == 1 else 0
    return Layout(
        size=(height, width),
        photometric=integer(tags, 262, BLACK_IS_ZERO),
        bits=bits,
        format=form,
        samples=samples,
        extras=integers(tags, 338, ()),
        planar=integer(tags, 284, 1) == 2 and samples > 1,
        compression=compression,
        predictor=integer(tags, 317, 1) if compression in PREDICTED else 1,
        reversed_bits=integer(tags, 266, 1) == 2,
        byte_order="<" if tags.prefix.startswith(b"II") else ">",
        orientation=integer(tags, 274, 1),
        piece=piece if tiled else (min(piece[0], height), width),
        tiled=tiled,
        offsets=integers(tags, 324 if tiled else 273, ()),
        counts=integers(tags, 325 if tiled else 279, ()),
        significant=significant_bits(tags, bits) if form in (UINT, UNDEFINED) else None,
        colours=integers(tags, 320, ()),
        subsampled=integers(tags, 530, (2, 2)) != (1, 1),
        inks=integer(tags, 332, 1),
        part=integer(tags, 254, 0) & (SMALL_COPY | MASK) > 0 or integer(tags, 32997, 1) > 1,
    )


def significant_bits(tags: ImageFileDirectory_v2, bits: int) -> int | None:
    """Return how many bits of a sample are in use, if the file declares fewer than it stores; else None.

    OME's `SignificantBits` says it, and so does a largest sample value of 2^k - 1, with k from 8 on. Any
    other largest value is a statistic, which must not change how a picture looks (TIFF 6.0, page 37).
    """
    if bits > 64:  # a damaged tag
        return None
    found = SIGNIFICANT.search(str(tags.get(270, "")))
    if found and 1 <= int(found[1]) < bits:
        return int(found[1])
    largest = {*numbers(tags, 341)} or {*numbers(tags, 281)}
    least = {*numbers(tags, 340), *numbers(tags, 280)}
    declared = next(iter(largest)) if len(largest) == 1 and least <= {0} else None
    return next((k for k in range(8, bits) if declared == 2**k - 1), None)


def integer(tags: ImageFileDirectory_v2, tag: int, default: int | None = None) -> int:
    """Return the first number of a tag.

    Raises:
        ValueError: it is missing without a default, or no whole number from 0 on.
    """
    found = integers(tags, tag, () if default is None else (default,))
    if not found:
        raise ValueError(f"a TIFF without tag {tag}")
    return found[0]


def integers(tags: ImageFileDirectory_v2, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of a tag.

    Raises:
        ValueError: one is no whole number from 0 on.
    """
    found = numbers(tags, tag)
    if not all(isinstance(number, int) and number >= 0 for number in found):
        raise ValueError(f"a TIFF whose tag {tag} holds {found[:3]}, and must hold whole numbers")
    return found or default


def numbers(tags: ImageFileDirectory_v2, tag: int) -> tuple:
    """Return the values of a tag; none if it is missing."""
    found = tags.get(tag, ())
    return found if isinstance(found, tuple) else (found,)
