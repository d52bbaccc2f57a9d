"""TIFFs in every layout: read with the pixels that the samples mean, or refused by name; never misread."""

import io
import itertools
import resource
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from swinkit.data.images import ImageError, load_image
from swinkit.data.tiff import read_layout
from swinkit.data.tiff_samples import read_samples

from .tiffs import DEFLATE, GREY, LZW, PACKBITS, PLAIN, RGB, assemble, colour_map, table_of_page, write_tiff

HEIGHT, WIDTH = 6, 11
KINDS = {  # columns of the table in docs/data.md: NumPy's type and bits of a sample
    "1 to 7 bits": [("u1", bits) for bits in range(1, 8)],
    "8 bits": [("u1", 8)],
    "9 to 15 bits": [("u2", bits) for bits in range(9, 16)],
    "16 bits": [("u2", 16)],
    "32 bits": [("u4", 32)],
    "floats": [("f2", 16), ("f4", 32), ("f8", 64)],
    "signed, complex": [("i1", 8), ("i2", 16), ("c8", 64)],
}
LAYOUTS = {  # rows of that table: PhotometricInterpretation, samples, ExtraSamples
    "grey, black is zero": (1, 1, ()),
    "grey, white is zero": (0, 1, ()),
    "grey and alpha": (1, 2, (2,)),
    "grey and alpha, premultiplied": (1, 2, (1,)),
    "RGB": (2, 3, ()),
    "RGB and alpha": (2, 4, (2,)),
    "RGB and alpha, premultiplied": (2, 4, (1,)),
    "RGB and others": (2, 5, (0, 0)),
    "CMYK": (5, 4, ()),
    "palette": (3, 1, ()),
    "L\\*a\\*b\\*, CIE or ICC": (8, 3, ()),
    "YCbCr": (6, 3, ()),
    "bands": (1, 5, (0, 0, 0, 0)),
    "colour filter array": (32803, 1, ()),
}
RANDOM = np.random.default_rng(0)


def draw(kind: str, bits: int, count: int) -> np.ndarray:
    """Draw samples (h, w, S); of a pixel with alpha no colour exceeds it."""
    shape = (HEIGHT, WIDTH, count)
    if kind[0] in "fc":
        return np.sort(RANDOM.random(shape), axis=-1).astype(kind)
    low = -(2 ** (bits - 1)) if kind[0] == "i" else 0
    return np.sort(RANDOM.integers(low, low + 2**bits, shape), axis=-1).astype(kind)


def expected(samples: np.ndarray, layout: str, bits: int) -> np.ndarray:
    """Return what samples mean: (h, w, 3), from 0 to 1; of Lab and YCbCr only Pillow's formula is known."""
    x = samples / (1.0 if samples.dtype.kind == "f" else 2.0**bits - 1)
    if layout.startswith("L\\*a"):
        return np.asarray(Image.frombytes("LAB", (WIDTH, HEIGHT), samples.tobytes()).convert("RGB")) / 255
    if layout == "YCbCr":
        return np.asarray(Image.frombytes("YCbCr", (WIDTH, HEIGHT), samples.tobytes()).convert("RGB")) / 255
    if layout == "CMYK":
        return (1 - x[..., :3]) * (1 - x[..., 3:])
    if layout == "palette":
        return np.array(colour_map(bits)).reshape(3, -1)[:, samples[..., 0]].transpose(1, 2, 0) / 65535
    colours = 1 if layout.startswith("grey") else 3
    seen = 1 - x[..., :1] if "white" in layout else x[..., :colours]
    if "alpha" in layout:
        alpha = x[..., -1:]
        seen = (seen if "premultiplied" in layout else seen * alpha) + 1 - alpha
    return np.broadcast_to(seen, (HEIGHT, WIDTH, 3))


def variants(layout: str, kind: str, bits: int) -> list[tuple[str, np.ndarray, bytes]]:
    """Return files of a layout, in planes or not, in either byte order, compressed or not."""
    photometric, count, extras = LAYOUTS[layout]
    samples = draw(kind, bits, count)
    tags = {530: ("H", [1, 1])} if layout == "YCbCr" else {}
    tags |= {320: ("H", colour_map(bits))} if layout == "palette" and bits <= 16 else {}
    planes = (False,) if count == 1 or layout == "YCbCr" else (False, True)
    ways = itertools.product(planes, "<>", (PLAIN, DEFLATE, LZW))
    return [
        (
            f"{layout}, {bits} bits {kind}, planar {planar}, {order}, compression {compression}",
            samples,
            write_tiff(
                samples,
                bits=bits,
                photometric=photometric,
                extras=extras,
                planar=planar,
                byte_order=order,
                compression=compression,
                rows=4,
                tags=tags,
            ),
        )
        for planar, order, compression in ways
    ]


def fault(cell: str, samples: np.ndarray, data: bytes, layout: str, bits: int) -> str:
    """Return what is wrong with how a file is read; "" if it is as a cell of the table says."""
    try:
        pixels = load_image(data).permute(1, 2, 0).numpy()
    except ImageError as error:
        return "" if cell != "read" and "; " in error.reason else str(error)
    if cell != "read":
        return "was read"
    away = np.abs(pixels / 255 - expected(samples, layout, bits)).max() * 255
    rounded_once = layout.startswith(("grey, ", "RGB", "L")) and (bits != 16 or layout[0] == "g")
    allowed = 2.7 if "alpha" in layout else 0.501 if rounded_once else 1.9
    return "" if away <= allowed else f"is wrong by {away}"


@pytest.mark.parametrize("column", KINDS)
def test_every_layout_is_read_or_refused_as_the_page_says(column):
    cells, faults = table_of_page("TIFF"), {}
    assert set(cells) == set(itertools.product(LAYOUTS, KINDS))
    for layout, (kind, bits) in itertools.product(LAYOUTS, KINDS[column]):
        for name, samples, data in variants(layout, kind, bits):
            found = fault(cells[layout, column], samples, data, layout, bits)
            faults |= {name: found} if found else {}
    assert not faults


def test_the_files_of_these_tests_hold_what_tifffile_reads():
    for layout, (kind, bits) in itertools.product(LAYOUTS, [("u1", 8), ("u2", 16), ("f4", 32), ("i2", 16)]):
        for name, samples, data in variants(layout, kind, bits):
            if "compression 5" not in name:  # which it reads with a further library
                found = tifffile.imread(io.BytesIO(data))
                found = np.moveaxis(found, 0, -1) if "planar True" in name else found
                assert np.array_equal(found.reshape(samples.shape), samples), name


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("predictor", [None, 2])
@pytest.mark.parametrize("big", [False, True])
def test_samples_in_tiles_strips_and_differences_are_those_of_tifffile(
    tmp_path, compression, tile, predictor, big
):
    for kind, planar in itertools.product(("u1", "u2", "u4", "f4"), ("contig", "separate")):
        samples = RANDOM.integers(0, 200, (37, 53, 3)).astype(kind)
        stored = np.moveaxis(samples, -1, 0) if planar == "separate" else samples
        options = {"photometric": "rgb", "planarconfig": planar, "tile": tile, "rowsperstrip": 9}
        options |= {
            "compression": compression,
            "predictor": predictor if compression and kind != "f4" else None,
        }
        tifffile.imwrite(tmp_path / "a.tif", stored, bigtiff=big, **options)
        with (tmp_path / "a.tif").open("rb") as file:
            layout = read_layout(file)
            assert np.array_equal(read_samples(file, layout), samples)


def test_differences_of_floats_are_undone():
    """Encode as TIFF's technical note 3 says: all first bytes of a row, then all second ones, and so on."""
    samples = RANDOM.random((3, 5, 3)).astype(np.float32)
    rows = samples.astype(">f4").view(np.uint8).reshape(3, 15, 4).swapaxes(1, 2).reshape(3, 20, 3)
    data = zlib.compress(np.diff(rows, axis=1, prepend=np.uint8(0)).astype(np.uint8).tobytes())
    fields = {256: [5], 257: [3], 259: [DEFLATE], 262: [RGB], 273: [8], 277: [3], 278: [3], 279: [len(data)]}
    fields |= {258: [32] * 3, 317: [3], 339: [3] * 3}
    file = io.BytesIO(assemble({tag: ("I", values) for tag, values in fields.items()}, data, "<"))
    assert np.array_equal(read_samples(file, read_layout(file)), samples)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_what_we_read_as_it_turns_what_pillow_reads(orientation):
    samples = RANDOM.integers(0, 256, (4, 7, 3), np.uint8)
    tags = {274: ("H", [orientation])}
    ours, pillows = (
        write_tiff(samples, photometric=RGB, planar=planar, tags=tags) for planar in (True, False)
    )
    assert torch.equal(load_image(ours), load_image(pillows))


def test_bits_in_reversed_order_are_read():
    samples = RANDOM.integers(0, 65536, (4, 7, 3)).astype(np.uint16)
    data = bytearray(write_tiff(samples, photometric=RGB, tags={266: ("H", [2])}))
    data[8 : 8 + samples.nbytes] = bytes(int(f"{byte:08b}"[::-1], 2) for byte in samples.tobytes())
    assert torch.equal(load_image(bytes(data)), load_image(write_tiff(samples, photometric=RGB)))


TWELVE = (np.arange(6, dtype=np.uint16) * 819).reshape(2, 3, 1)  # 12 bits in 16
OME = b'<?xml version="1.0"?><OME><Image><Pixels SignificantBits="12" Type="uint16"/></Image></OME>\0'


@pytest.mark.parametrize(
    ("tags", "brightest"),
    [
        ({}, 16),
        ({281: ("H", [4095])}, 255),
        ({280: ("H", [0]), 281: ("H", [4095])}, 255),
        ({341: ("H", [4095])}, 255),
        ({270: ("B", OME)}, 255),
        ({281: ("H", [4094])}, 16),  # a statistic of this picture
        ({281: ("H", [16383])}, 64),
        ({280: ("H", [7]), 281: ("H", [4095])}, 16),  # a statistic as well
    ],
)
def test_the_brightest_value_is_declared_by_a_tag_never_guessed(tags, brightest):
    grey, white = (load_image(write_tiff(TWELVE, photometric=kind, tags=tags)) for kind in (GREY, 0))
    assert grey.max().item() == brightest
    assert white.min().item() == 255 - brightest
    tags = {tag: (kind, values if kind == "B" else list(values) * 3) for tag, (kind, values) in tags.items()}
    colour = load_image(write_tiff(np.repeat(TWELVE, 3, -1), photometric=RGB, tags=tags))
    assert colour.max().item() in (brightest, brightest - 1)  # the upper byte of 16 bits


def test_values_above_what_is_declared_are_refused():
    for photometric in (0, 1):
        with pytest.raises(ImageError, match="values up to 4095, where its tags declare 1023 as the largest"):
            load_image(write_tiff(TWELVE, photometric=photometric, tags={281: ("H", [1023])}))


@pytest.mark.parametrize("tags", [{281: ("H", [4095])}, {270: ("B", OME)}])
def test_bits_in_use_are_no_matter_of_floats_and_signed_values(tags):
    assert load_image(write_tiff(TWELVE / np.float32(4095), tags=tags)).max().item() == 255
    with pytest.raises(ImageError, match="16 bits, signed, has values of no known range; store it with 8 or"):
        load_image(write_tiff(TWELVE.astype(np.int16), tags=tags))


@pytest.mark.parametrize("mode", ["P", "PA", "YCbCr", "L"])
def test_what_pillow_writes_of_palettes_and_colours_stays_as_pillow_reads_it(mode):
    """Palettes with alpha, YCbCr whose tags say nothing of its resolution, grey that is called YCbCr."""
    image = Image.fromarray(RANDOM.integers(0, 256, (4, 7, 3), np.uint8)).convert(
        "P" if mode == "PA" else mode
    )
    image, file = image.convert(mode), io.BytesIO()
    image.save(file, "TIFF", tiffinfo={262: 6} if mode == "L" else {})
    shown = image.convert("RGBA" if mode == "PA" else "RGB").convert("RGB")
    assert np.array_equal(load_image(file.getvalue()).permute(1, 2, 0).numpy(), np.asarray(shown))


def test_32_bits_are_taken_as_16_where_they_can_be_nothing_else():
    for kind, order, compression in itertools.product(("u4", "i4"), "<>", (PLAIN, PACKBITS)):
        values = np.array([[[0], [300], [65535]]], kind)
        data = write_tiff(values, byte_order=order, compression=compression)
        assert load_image(data)[0, 0].tolist() == [0, 1, 255]
    with pytest.raises(ImageError, match="32-bit integers from 0 to 200 have no known range"):
        load_image(write_tiff(np.array([[[0], [200]]], np.uint32)))


@pytest.mark.parametrize("planar", [False, True])
def test_an_opened_picture_that_pillow_misreads_is_read_from_its_file(planar):
    samples = RANDOM.integers(0, 65536, (4, 7, 3)).astype(np.uint16)
    data = write_tiff(samples, photometric=RGB, planar=planar)
    with Image.open(io.BytesIO(data)) as image:
        assert torch.equal(load_image(image), load_image(data))
        image.load()
        if planar:
            with pytest.raises(ImageError, match="is misread by Pillow; give the file, not an image of it"):
                load_image(image)


def small(changed: Mapping[int, Sequence[int]], data: bytes) -> bytes:
    """Return a TIFF of 3 x 2 pixels, compressed with Deflate, with some tags changed."""
    fields = {256: [3], 257: [2], 258: [16], 259: [DEFLATE], 262: [0], 273: [8], 277: [1], 278: [2]}
    fields |= {279: [len(data)], **changed}
    return assemble({tag: ("I", values) for tag, values in fields.items()}, data, "<")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({256: [60_000], 257: [60_000]}, "60000x60000 is more than the limit of 89 million pixels"),
        ({322: [2**20], 323: [2**20], 324: [8], 325: [20]}, "more than the limit of 356 million samples"),
        ({277: [65535]}, "holds bands, not RGB"),
        ({279: [2]}, "is damaged: a strip or tile cannot be decompressed"),
        ({273: [8, 8]}, "with 2 of 1 strips or tiles"),
        ({258: [2**31]}, "no known range"),
        ({257: [0]}, "without pixels"),
        ({278: [0]}, "without pixels"),
        ({259: [34712]}, "with compression 34712, cannot be read; save it with Deflate or LZW"),
        ({317: [9]}, "with predictor 9"),
        ({254: [1]}, "its first page is a small copy, a mask or a volume; save the whole picture alone"),
        ({32997: [4]}, "its first page is a small copy, a mask or a volume; save the whole picture alone"),
    ],
)
def test_a_header_that_claims_too_much_is_refused_before_anything_is_decoded(changed, message):
    with pytest.raises(ImageError, match=message):
        load_image(small(changed, zlib.compress(bytes(12))))


def test_a_strip_that_unpacks_to_much_takes_no_more_than_its_stated_size():
    pack = zlib.compressobj()
    bomb = small({}, b"".join(pack.compress(bytes(2**20)) for _ in range(256)) + pack.flush())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load_image(bomb).unique().tolist() == [255]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB: 64 MiB, of 256


def test_a_big_endian_bigtiff_is_refused_by_name():
    with pytest.raises(ImageError, match="a BigTIFF in big-endian byte order cannot be read; save it as"):
        load_image(b"MM\0+" + bytes(60))
