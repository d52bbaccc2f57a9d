"""Pictures of other channels than RGB are read as they are stored, or refused."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from swinkit.data.find_dataset import find_inputs
from swinkit.data.fitting import stack_images
from swinkit.data.images import ImageError, load_image
from swinkit.data.preprocess import Preprocess

from .corpus import encode
from .layouts import shards, whole, zipped
from .tiffs import write_tiff

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (5, 7, 6), np.uint8)
DEEP = RANDOM.integers(0, 65536, (5, 7, 6)).astype(np.uint16)
REAL = RANDOM.normal(0, 3, (5, 7, 6)).astype(np.float32)


def wanting(channels: int, *crop: int) -> Preprocess:
    return Preprocess.to_crop(
        crop=crop or (5, 7), resize=None, mean=(0.5,) * channels, std=(0.25,) * channels
    )


def last_first(values: np.ndarray) -> torch.Tensor:
    """(h, w, C) -> (C, h, w)."""
    return torch.from_numpy(np.moveaxis(values, -1, 0).copy())


GREY = Image.fromarray(BYTES[..., 0])
STORED = {
    "grey.png": (encode(GREY, "PNG"), last_first(BYTES[..., :1])),
    "grey.tiff": (encode(GREY, "TIFF", compression="tiff_lzw"), last_first(BYTES[..., :1])),
    "grey.jpg": (encode(Image.new("L", (8, 8), 77), "JPEG"), torch.full((1, 8, 8), 77, dtype=torch.uint8)),
    "grey16.png": (
        encode(Image.fromarray(DEEP[..., 0]), "PNG"),
        last_first(DEEP[..., :1] / np.float32(65535)),
    ),
    "grey16.tiff": (write_tiff(DEEP[..., :1]), last_first(DEEP[..., :1] / np.float32(65535))),
    "black and white.png": (encode(GREY.convert("1"), "PNG"), None),
    "white is zero.tiff": (write_tiff(BYTES[..., :1], photometric=0), last_first(255 - BYTES[..., :1])),
    "twelve bits.tiff": (
        write_tiff(DEEP[..., :1] >> 4, bits=12),
        last_first((DEEP[..., :1] >> 4) / np.float32(4095)),
    ),
    "elevations.tiff": (write_tiff(REAL[..., :1]), last_first(REAL[..., :1])),
    "grey and alpha.png": (encode(Image.fromarray(BYTES[..., :2]), "PNG"), last_first(BYTES[..., :2])),
    "rgba.png": (encode(Image.fromarray(BYTES[..., :4]), "PNG"), last_first(BYTES[..., :4])),
    "rgba.webp": (
        encode(Image.fromarray(BYTES[..., :4]), "WEBP", lossless=True, exact=True),
        last_first(BYTES[..., :4]),
    ),
    "near infrared.tiff": (
        write_tiff(BYTES[..., :4], photometric=2, extras=(0,)),
        last_first(BYTES[..., :4]),
    ),
    "six bands.tiff": (write_tiff(BYTES, extras=(0,) * 5, compression=5), last_first(BYTES)),
    "six bands, deep.tiff": (
        write_tiff(DEEP, extras=(0,) * 5, planar=True, compression=8),
        last_first(DEEP / np.float32(65535)),
    ),
    "six bands, real.tiff": (write_tiff(REAL, extras=(0,) * 5, byte_order=">"), last_first(REAL)),
}


@pytest.mark.parametrize("name", STORED)
def test_channels_are_read_as_they_are_stored(name):
    data, expected = STORED[name]
    expected = (
        last_first(np.asarray(GREY.convert("1").convert("L"))[..., None]) if expected is None else expected
    )
    found = load_image(data, channels=len(expected))
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)
    assert found.is_contiguous()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (STORED["rgba.png"][0], "channels: 4 are stored, 1 expected"),
        (encode(Image.fromarray(BYTES[..., :3]), "PNG"), "channels: 3 are stored, 1 expected"),
        (STORED["six bands.tiff"][0], "channels: 6 are stored, 1 expected"),
        (encode(GREY.convert("P"), "PNG"), "mode P holds no channels of a known range; save it as RGB"),
        (encode(GREY.convert("P"), "TIFF"), "numbers colours, and holds no channels; save it as RGB or grey"),
        (write_tiff(DEEP[..., :1].astype(np.int16)), "values of no known range; store it as floats"),
    ],
)
def test_other_channels_are_refused_never_converted(data, message):
    with pytest.raises(ImageError, match=message):
        load_image(data, channels=1)


def test_bands_are_refused_where_rgb_is_asked_for_with_what_learns_from_them():
    with pytest.raises(ImageError, match=r"a training takes 6 channels if data\.mean and data\.std"):
        load_image(STORED["six bands.tiff"][0])


def test_a_data_set_gives_the_channels_of_the_recipe_in_every_layout(tmp_path):
    contents = [("x", STORED["six bands, deep.tiff"][0]), ("x", STORED["six bands, real.tiff"][0])]
    (tmp_path / "folder" / "train").mkdir(parents=True)
    for i, (_, data) in enumerate(contents):
        (tmp_path / "folder" / "train" / f"{i}.tiff").write_bytes(data)
    places = [
        tmp_path / "folder",
        zipped(tmp_path / "folder"),
        shards(tmp_path / "shards", whole(train=contents)),
    ]
    for place in places:
        found = find_inputs(place, wanting(6), "train")
        assert torch.equal(found[0].image, STORED["six bands, deep.tiff"][1])
        assert torch.equal(found[1].image, STORED["six bands, real.tiff"][1])


def test_a_band_that_is_not_finite_is_told_with_file_and_place(tmp_path):
    values = REAL.copy()
    values[2, 3, 4] = np.nan
    (tmp_path / "a.tiff").write_bytes(write_tiff(values, extras=(0,) * 5))
    with pytest.raises(
        ImageError, match=r"a\.tiff: holds 1 NaN of 210 numbers, the first in channel 4 at \(2, 3\)"
    ):
        _ = find_inputs(tmp_path, wanting(6))[0]


def test_frames_of_clips_are_read_as_they_are_stored(tmp_path):
    for i in range(3):
        place = tmp_path / "train" / "clip" / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(BYTES[..., i] if i else DEEP[..., i]).save(place)
    clip = find_inputs(tmp_path, wanting(1, 2, 5, 7), "train")[0].image
    assert clip.shape == (1, 3, 5, 7)
    assert torch.equal(clip[0, 0], torch.from_numpy(DEEP[..., 0] / np.float32(65535)))
    assert torch.equal(clip[0, 2], torch.from_numpy(BYTES[..., 2]).float() / 255)


def test_images_of_8_bits_and_of_more_become_one_scale():
    eight, deep = torch.full((1, 2, 2), 255, dtype=torch.uint8), torch.ones(1, 2, 2)
    assert stack_images([eight, deep]).unique().tolist() == [1]
    assert stack_images([eight, eight]).dtype == torch.uint8


def test_an_opened_picture_gives_its_channels_too():
    for name in ("near infrared.tiff", "grey16.tiff", "grey.png"):
        data, expected = STORED[name]
        with Image.open(io.BytesIO(data)) as image:
            assert torch.equal(load_image(image, channels=len(expected)), expected)
