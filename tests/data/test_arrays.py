"""Arrays of any number of axes and channels are read whole, safely, and by what their header tells."""

import io

import numpy as np
import pytest
import torch
from numpy.lib import format as npy

from swinkit.data.arrays import read_array
from swinkit.data.find_dataset import find_inputs
from swinkit.data.images import ImageError
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError

from .layouts import zipped


def wanting(*crop: int, channels: int = 5) -> Preprocess:
    return Preprocess.to_crop(crop=crop, resize=None, mean=(0.5,) * channels, std=(0.25,) * channels)


def stored(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.fixture
def root(tmp_path):
    """Two pictures of five channels to learn from, one to be watched."""
    for split, count in (("train", 2), ("val", 1)):
        (tmp_path / split).mkdir()
        for i in range(count):
            np.save(tmp_path / split / f"{i}.npy", np.full((6, 7, 5), 10 * i + np.arange(5), np.uint8))
    return tmp_path


@pytest.mark.parametrize("place", [lambda root: root, zipped], ids=["folder", "zip"])
def test_the_last_axis_becomes_the_channels(root, place):
    found = find_inputs(place(root), wanting(6, 7), "train")
    assert (found.split, list(found.ids)) == ("train", ["train/0.npy", "train/1.npy"])
    pixels = found[1].image
    assert pixels.dtype == torch.uint8
    assert torch.equal(pixels[:, 2, 3], torch.arange(10, 15))
    assert pixels.shape == (5, 6, 7)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 65535]], np.uint16), [0.0, 1.0]),
        (np.array([[0.25, 2.0]], np.float32), [0.25, 2.0]),
        (np.array([[0.25, 2.0]], np.float16), [0.25, 2.0]),
        (np.array([[0.25, 2.0]], ">f4"), [0.25, 2.0]),
        (np.asfortranarray([[0.25, 2.0]], np.float32), [0.25, 2.0]),
    ],
    ids=["uint16", "float32", "float16", "big-endian", "by columns"],
)
def test_other_types_become_floats_of_which_one_is_brightest(array, expected, tmp_path):
    np.save(tmp_path / "a.npy", array)
    pixels = find_inputs(tmp_path, wanting(1, 2, channels=1), "train")[0].image
    assert pixels.dtype == torch.float32
    assert pixels.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"holds 2 NaN of 8 numbers, the first in channel 1 at \(0, 1\); replace them"),
        (-np.inf, "holds 2 infinite of 8 numbers"),
        (-3.4e38, r"holds -3.4e\+38 in channel 1, more than 65504 times data.std=0.25 from data.mean=0.5"),
        (16992, "holds 16992 in channel 1"),
    ],
)
@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_values_that_would_make_a_training_diverge_are_told(value, message, kind, tmp_path):
    """Half precision holds 65504 standard deviations at most; in float16 the smallest value is infinite."""
    array = np.full((2, 2, 2), 0.5, kind)
    with np.errstate(over="ignore"):
        array[0, 1, 1] = array[1, 0, 1] = value
    np.save(tmp_path / "a.npy", array)
    message = "holds 2 infinite" if np.isinf(array).any() else message
    with pytest.raises(ImageError, match=rf"a\.npy: {message}"):
        _ = find_inputs(tmp_path, wanting(2, 2, channels=2), "train")[0]


@pytest.mark.parametrize("value", [16000.0, 0.0, -1.0])
def test_large_negative_and_constant_values_are_read(value, tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 2, 1), value, np.float32))
    assert find_inputs(tmp_path, wanting(2, 2, channels=1), "train")[0].image.unique().tolist() == [value]


@pytest.mark.parametrize("order", "CF")
def test_an_array_comes_back_as_it_was_stored(order):
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5).copy(order)
    assert np.array_equal(read_array(stored(array), "x"), array)


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no array of numpy's format"),
        (b"\x89PNG and so on", "is no array of numpy's format"),
        (stored(np.zeros(3, np.uint8))[:40], "is no array of numpy's format"),
        (stored(np.zeros((9, 9), np.uint8))[:-1], "is cut short: 80 of 81 bytes are there"),
        (pickled(), "holds object; numbers must be uint8, uint16, float16, float32"),
        (stored(np.zeros(3)), "holds float64"),
        (stored(np.zeros(3, complex)), "holds complex128"),
        (stored(np.zeros(3, np.int16)), "holds int16"),
        (stored(np.zeros(3, bool)), "holds bool"),
        (stored(np.zeros(3, [("red", "u1")])), "holds void8"),
        (claiming((2**20, 2**20)), "between 1 and 2^30 numbers are read"),
        (claiming((0, 3)), r"holds an array of shape (0, 3)"),
        (claiming((-1, 3)), "holds an array of shape"),
    ],
)
def test_what_is_no_such_array_is_told_before_anything_large_is_read(data, message):
    with pytest.raises(ImageError) as refused:
        read_array(data, "somewhere/a.npy")
    assert str(refused.value).startswith("somewhere/a.npy: ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        (
            wanting(6, 7, channels=4),
            r"shape \(6, 7, 5\); 2 axes and 4 channels, the last axis, were expected",
        ),
        (wanting(2, 6, 7), r"shape \(6, 7, 5\); 3 axes and 5 channels, the last axis, were expected"),
    ],
)
def test_another_shape_is_told_with_the_file(root, preprocess, message):
    with pytest.raises(ImageError, match=message):
        _ = find_inputs(root, preprocess, "train")[0]


def test_other_channels_without_arrays_are_told(tmp_path):
    with pytest.raises(DataError, match=r"no pictures \(looked for .*\), nor arrays \(.npy\)"):
        find_inputs(tmp_path, wanting(6, 7), "train")
