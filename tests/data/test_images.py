"""Every path reads the same pixels, and what cannot be read is refused with its name and a reason."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from swinkit.data.images import ImageError, examine, load_image
from swinkit.errors import UsageError

from .corpus import ORIENTED, RAMP, Sample, chunk, corpus, encode, png

JPEG = next(sample.data for sample in corpus() if sample.name == "baseline.jpg")


def pixels_of(image: torch.Tensor) -> np.ndarray:
    """(3, h, w) -> (h, w, 3)."""
    assert image.dtype == torch.uint8
    assert image.is_contiguous()
    return image.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_every_kind_of_picture_gives_its_pixels(sample: Sample, tmp_path):
    """From a file, from bytes and from an opened picture, which must agree exactly."""
    path = tmp_path / sample.name
    path.write_bytes(sample.data)
    image = load_image(path)
    pixels = pixels_of(image)
    assert pixels.shape == sample.pixels.shape
    assert np.abs(pixels.astype(int) - sample.pixels).max() <= sample.tolerance
    assert torch.equal(load_image(sample.data), image)
    if sample.opens:
        with Image.open(io.BytesIO(sample.data)) as opened:
            assert torch.equal(load_image(opened), image)
    assert torch.equal(load_image(pixels), image)
    assert torch.equal(load_image(image), image)


def test_the_corpus_is_large():
    assert len(corpus()) >= 60
    assert len({sample.name for sample in corpus()}) == len(corpus())


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 255, (255, 255, 255)),
        ("La", (0, 0), (255, 255, 255)),
        ("PA", (0, 0), (255, 255, 255)),
        ("RGBa", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBX", (1, 2, 3, 4), (1, 2, 3)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("YCbCr", (255, 128, 128), (255, 255, 255)),
        ("I", 65535, (255, 255, 255)),
        ("I;16", 300, (1, 1, 1)),
        ("I;16B", 65535, (255, 255, 255)),
        ("F", 0.2, (51, 51, 51)),
    ],
)
def test_modes_that_only_a_program_makes(mode, colour, expected):
    assert load_image(Image.new(mode, (2, 1), colour))[:, 0, 0].tolist() == list(expected)


def test_a_transparent_colour_in_a_mode_without_one_is_no_transparency():
    image = Image.new("HSV", (1, 1), (0, 255, 255))
    image.info["transparency"] = 0
    assert load_image(image).flatten().tolist() == [255, 0, 0]


def transparent_png(depth: int, colour: int, row: bytes, marked: tuple[int, ...]) -> bytes:
    """Return a PNG of one row, eight pixels or fewer, with a transparent colour."""
    width = len(row) * 8 // (depth * (3 if colour == 2 else 1))
    return png(width, 1, depth, colour, [row], chunk(b"tRNS", struct.pack(f">{len(marked)}H", *marked)))


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_the_stored_value_whatever_its_bits(depth):
    """Pillow scales 2 and 4 bits to 8, but not the value that is transparent."""
    values = np.arange(8) % 2**depth
    bits = (values[:, None] >> np.arange(depth)[::-1]) & 1
    row = np.packbits(bits.astype(np.uint8)).tobytes()
    for marked in set(values.tolist()):
        shown = load_image(transparent_png(depth, 0, row, (marked,)), background=(9, 99, 9))
        assert np.array_equal((shown[1, 0] == 99).numpy(), values == marked)


def test_a_transparent_colour_of_16_bits_is_refused_since_8_bits_cannot_tell_it():
    data = transparent_png(16, 2, struct.pack(">6H", 300, 400, 500, 301, 400, 500), (300, 400, 500))
    with pytest.raises(ImageError, match="RGB of 16 bits with a transparent colour; save it with an alpha"):
        load_image(data)
    assert load_image(transparent_png(8, 2, bytes(range(6)), (0, 1, 2)))[0, 0].tolist() == [255, 3]


def test_the_background_is_the_callers():
    clear = Image.new("RGBA", (1, 1), (9, 9, 9, 0))
    assert load_image(clear, background=(1, 2, 3)).flatten().tolist() == [1, 2, 3]


@pytest.mark.parametrize("orientation", ORIENTED)
def test_an_opened_picture_is_turned_and_left_as_it_was(orientation):
    data = next(sample.data for sample in corpus() if sample.name == f"orientation_{orientation}.png")
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
        assert np.array_equal(pixels_of(load_image(image)), RAMP)
        assert image.size == size
        assert np.array_equal(pixels_of(load_image(image)), RAMP)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([[0, 70000]], np.int32), "32-bit integers from 0 to 70000 have no known range"),
        (np.array([[-5, 300]], np.int32), "32-bit integers from -5 to 300"),
        (np.array([[0, 255]], np.int32), "32-bit integers from 0 to 255"),
        (np.array([[0, 1.5]], np.float32), "floating-point values from 0 to 1.5"),
        (np.array([[-0.1, 1]], np.float32), "floating-point values from -0.1 to 1"),
        (np.array([[0, np.nan]], np.float32), "floating-point values"),
    ],
)
def test_values_without_a_known_range_are_refused(values, reason):
    with pytest.raises(ImageError, match=reason):
        load_image(Image.fromarray(values))


FOREIGN = {
    "gif": encode(Image.fromarray(RAMP), "GIF"),
    "eps": encode(Image.fromarray(RAMP), "EPS"),
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2, 2, 8, 3) + bytes(64),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "html": b"<!DOCTYPE html><html><body>404 not found</body></html>",
    "pdf": encode(Image.fromarray(RAMP), "PDF"),
    "avif": encode(Image.fromarray(RAMP), "AVIF"),
    "ppm": encode(Image.fromarray(RAMP), "PPM"),
    "text": b"this is no picture",
    "zero width": png(0, 1, 8, 0, [b""]),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_formats_are_refused_whatever_the_file_is_called(kind, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(ImageError, match="not a JPEG, PNG, WEBP, BMP or TIFF picture") as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "16 bits", "BMP", "TIFF", "LZW", "WEBP"])
def test_a_truncated_file_is_refused_wherever_it_ends(kind):
    """A picture that is half there must never be answered for."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    image = Image.fromarray(noise)
    data = {
        "progressive": lambda: encode(image, "JPEG", progressive=True),
        "16 bits": lambda: encode(Image.fromarray(noise[..., 0].astype(np.uint16) * 257), "PNG"),
        "LZW": lambda: encode(image, "TIFF", compression="tiff_lzw"),
    }.get(kind, lambda: encode(image, kind))()
    for kept in range(0, int(len(data) * 0.95), max(1, len(data) // 40)):
        with pytest.raises(ImageError, match="image: "):
            load_image(data[:kept])


def test_an_empty_file_is_called_empty(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    for source in (path, b""):
        with pytest.raises(ImageError, match="the file is empty"):
            load_image(source)


def test_a_damaged_chunk_is_an_error_with_a_reason():
    data = bytearray(encode(Image.fromarray(RAMP), "PNG"))
    data[data.index(b"IDAT") + 6] ^= 0xFF
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_image(bytes(data))


def test_a_bomb_is_refused_before_it_is_decoded():
    """A header of 30,000 x 30,000 pixels over no data: decoding would fail otherwise, and later."""
    bomb = png(30_000, 30_000, 1, 0, [b""])
    with pytest.raises(ImageError, match=r"too large to decode safely|more than the limit of 89 million"):
        load_image(bomb)
    with pytest.raises(ImageError, match="2x3 is more than the limit of 5e-06 million pixels"):
        load_image(encode(Image.fromarray(RAMP), "PNG"), max_pixels=5)


def test_the_environment_sets_the_limit_of_pixels(monkeypatch, tmp_path):
    small = encode(Image.fromarray(RAMP), "PNG")
    monkeypatch.setenv("SWINKIT_MAX_PIXELS", "5")
    with pytest.raises(ImageError, match=r"make it smaller, or allow it by SWINKIT_MAX_PIXELS=6$"):
        load_image(small)
    with pytest.raises(ImageError, match=r"SWINKIT_MAX_PIXELS=6$"):
        examine(small, "small")
    monkeypatch.setenv("SWINKIT_MAX_PIXELS", "6")
    assert load_image(small).shape == (3, 3, 2)
    for wrong in ("many", "0", "-1", "1e9"):
        monkeypatch.setenv("SWINKIT_MAX_PIXELS", wrong)
        with pytest.raises(UsageError, match=r"\$SWINKIT_MAX_PIXELS is '.*'; it must be a whole number"):
            load_image(small)


def test_a_picture_that_pillow_would_refuse_is_read_if_allowed(monkeypatch):
    """The limit of Pillow is put down here, so that the picture need not be large."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    small = encode(Image.fromarray(RAMP), "PNG")
    with pytest.raises(ImageError, match=r"too large to decode safely: .* SWINKIT_MAX_PIXELS allows more"):
        load_image(small, max_pixels=4)
    assert load_image(small, max_pixels=6).shape == (3, 3, 2)
    assert Image.MAX_IMAGE_PIXELS == 2


def test_a_text_that_unpacks_to_gigabytes_is_refused():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9))
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_image(png(1, 1, 8, 0, [b"\0"], text))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no/such/cat.jpg", "no/such/cat.jpg: no such file"),
        ("https://example.org/cat.jpg", "swinkit reads local files; download it first"),
        (".", "is a folder, not a picture"),
        ("a\0b.jpg", "null"),
        ("x" * 5000, "too long"),
        ("/dev/null", "is a pipe or a device"),
    ],
)
def test_paths_that_are_no_file(source, reason):
    with pytest.raises(ImageError, match=reason):
        load_image(source)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "cat.jpg"
    path.write_bytes(JPEG)

    def deny(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", deny)
    with pytest.raises(ImageError, match="permission denied"):
        load_image(path)


@pytest.mark.parametrize(
    ("pixels", "got"),
    [
        (np.zeros((4, 4, 3), np.float32), r"array of uint8 \(h, w, 3\), RGB in \[0, 255\]; got float32"),
        (np.zeros((4, 4, 3), np.uint16), "got uint16"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"shape \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4), r"tensor of uint8 \(3, h, w\), RGB in \[0, 255\]; got torch.float32"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"shape \(4, 4, 3\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"shape \(1, 3, 4, 4\)"),
    ],
)
def test_pixels_of_another_kind_are_told_what_is_expected(pixels, got):
    with pytest.raises(ImageError, match=got):
        load_image(pixels)


def test_views_and_reversed_channels_are_read_and_copied():
    """OpenCV's `frame[:, :, ::-1]` has negative strides; a camera's buffer is filled anew for each frame."""
    buffer = RAMP.copy()
    image = load_image(buffer[:, :, ::-1])
    tensor = torch.from_numpy(buffer).permute(2, 0, 1)
    kept = load_image(tensor)
    buffer[:] = 0
    assert np.array_equal(pixels_of(image), RAMP[:, :, ::-1])
    assert np.array_equal(pixels_of(kept), RAMP)


@pytest.mark.parametrize("source", [7, None, {}, [1], io.BytesIO(JPEG)])
def test_what_is_no_picture_is_a_usage_error(source):
    with pytest.raises(UsageError, match="expected a path, the bytes of a file"):
        load_image(source)


def test_a_picture_without_pixels():
    with pytest.raises(ImageError, match="without pixels"):
        load_image(Image.new("RGB", (0, 5)))


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("cat.jpg", "no such file")))  # noqa: S301 - our own bytes
    assert (str(error), error.name, error.reason) == ("cat.jpg: no such file", "cat.jpg", "no such file")


def test_damaged_files_raise_nothing_but_image_errors():
    """Random bytes changed in every kind of file: a picture or an ImageError, never another exception."""
    generator = np.random.default_rng(0)
    outcomes = set()
    for sample in corpus():
        for _ in range(4):
            data = bytearray(sample.data)
            for at in generator.integers(0, len(data), 3):
                data[at] = generator.integers(256)
            try:
                outcomes.add(load_image(bytes(data), max_pixels=100_000).dtype)
            except ImageError:
                outcomes.add(ImageError)
    assert outcomes == {torch.uint8, ImageError}
