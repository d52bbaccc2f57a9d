"""Preprocessing is a fact of the weights: it is kept exactly, and nothing else is taken for it."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from swinkit.data import fitting
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError, UsageError

GOOD = Preprocess.to_crop(
    crop=(24, 32), resize=40, interpolation="bilinear", mean=(0.1, 0.2, 0.3), std=(1, 0.5, 0.25)
)
ARM = platform.machine() in ("aarch64", "arm64")
AVX2 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
unit = st.floats(0, 1, allow_subnormal=False)
positive = st.floats(1e-3, 10)


@given(
    crop=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    more=st.none() | st.integers(0, 64),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
    mean=st.tuples(unit, unit, unit),
    std=st.tuples(positive, positive, positive),
)
def test_json_gives_back_exactly_what_was_saved(crop, more, interpolation, mean, std):
    resize = None if more is None else max(crop) + more
    saved = Preprocess.to_crop(crop=crop, resize=resize, interpolation=interpolation, mean=mean, std=std)
    assert Preprocess.from_json(json.loads(json.dumps(saved.to_json()))) == saved


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop", 32),
        ("crop", (32,)),
        ("crop", (32, 0)),
        ("crop", (-1, 32)),
        ("crop", (32.0, 32.0)),
        ("crop", (True, 32)),
        ("crop", [32, 32]),
        ("crop", "ab"),
        ("resize", 31),  # less than the crop: what should fill the rest?
        ("resize", 40.5),
        ("resize", True),
        ("resize", "40"),
        ("interpolation", "lanczos"),
        ("interpolation", None),
        ("mean", ()),
        ("std", (0.5, 0.5)),
        ("mean", (0.5, 0.5, float("nan"))),
        ("mean", ("0", "0", "0")),
        ("std", (1.0, 1.0, 0.0)),
        ("std", (1.0, 1.0, -1.0)),
        ("std", (1.0, 1.0, float("inf"))),
        ("std", (1.0, 1.0, 10**400)),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(field, value):
    with pytest.raises(UsageError, match=rf"{field} is .*; it must be "):
        Preprocess.to_crop(**{"crop": (32, 32), "resize": 32, field: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": [32, "32"]}, r"preprocess\.json: crop is .*; it must be numbers above 0"),
        ({"crop": None}, "preprocess.json: crop is "),
        ({"interpolation": "nearest"}, "interpolation is 'nearest'; it must be 'bicubic' or 'bilinear'"),
        ({"interpolation": ["bicubic"]}, "preprocess.json: interpolation is "),
        ({"version": 3}, "version 3; this swinkit reads 1 and 2"),
        ({"version": 1.0}, r"version 1\.0; this swinkit reads 1 and 2"),
        ({"size": 3}, "'size' is not known"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(change, message):
    with pytest.raises(DataError, match=message):
        Preprocess.from_json({**GOOD.to_json(), **change})


@pytest.mark.parametrize("values", [[], None, "bicubic", 3])
def test_a_file_of_another_kind(values):
    with pytest.raises(DataError, match="expected an object of fields"):
        Preprocess.from_json(values)


def test_missing_fields_are_all_named():
    values = GOOD.to_json()
    del values["mean"], values["crop"]
    with pytest.raises(DataError, match="'crop' is missing, 'mean' is missing"):
        Preprocess.from_json(values)


@pytest.mark.parametrize("size", [(1, 1), (24, 32), (7, 90), (90, 7), (300, 200), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("resize", [40, None])
def test_any_size_comes_out_as_the_crop(size, resize):
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    pixels = Preprocess.to_crop(crop=(24, 32), resize=resize)(image)
    assert pixels.shape == (3, 24, 32)
    assert pixels.dtype == torch.float32


def test_a_picture_of_the_right_size_is_only_normalised():
    image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    pixels = Preprocess.to_crop(crop=(32, 32), resize=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(image)
    assert torch.equal(pixels, image / 255)


@pytest.mark.parametrize("size", [(24, 32), (7, 90), (90, 7), (301, 200), (64, 3000), (40, 41)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("frames", [(), (2,)])
@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int16, torch.float32, torch.float64, torch.float16, torch.bfloat16]
)
def test_pixels_are_those_of_torchvision(size, interpolation, frames, dtype):
    from torchvision.transforms import v2 as transforms

    image = torch.randint(0, 256, (3, *frames, *size), dtype=torch.uint8).to(dtype)
    how = {"interpolation": transforms.InterpolationMode(interpolation), "antialias": True}
    settings = {"crop": (*frames, 25, 32), "interpolation": interpolation}
    by_floats = dtype == torch.uint8 and interpolation == "bilinear" and not (AVX2 or ARM)
    levels = 1 if by_floats else 0  # see the next test
    whole = transforms.functional.resize(image, [25, 32], **how)
    assert_close(Preprocess.to_crop(resize=None, **settings).fit(image), whole, rtol=0, atol=levels)
    longest = [min(side, 16 * min(size)) for side in size]
    middle = transforms.functional.center_crop(image, longest)
    middle = transforms.functional.center_crop(transforms.functional.resize(middle, [41], **how), [25, 32])
    assert_close(Preprocess.to_crop(resize=41, **settings).fit(image), middle, rtol=0, atol=levels)


def test_every_processor_gives_the_same_bytes(tmp_path):
    """Torch has code of its own for those without AVX2, on which torchvision resizes bilinear by floats."""
    code = """
import sys, torch
from torchvision.transforms.v2.functional import resize
from swinkit.data import fitting
image = torch.load(sys.argv[1], weights_only=True)
ours = [fitting.resize(image, (40, 120), how) for how in ("bicubic", "bilinear")]
torch.save([*ours, resize(image, [40, 120], antialias=True)], sys.argv[2])
"""
    torch.save(image := torch.randint(0, 256, (3, 77, 91), dtype=torch.uint8), tmp_path / "image.pt")
    arguments = [str(tmp_path / "image.pt"), str(tmp_path / "resized.pt")]
    plain = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    subprocess.run([sys.executable, "-c", code, *arguments], env=plain, check=True)
    bicubic, bilinear, theirs = torch.load(tmp_path / "resized.pt", weights_only=True)
    assert torch.equal(fitting.resize(image, (40, 120), "bicubic"), bicubic)
    assert torch.equal(fitting.resize(image, (40, 120), "bilinear"), bilinear)
    assert torch.equal(theirs, bilinear) == ARM
    assert_close(theirs, bilinear, rtol=0, atol=1)


def test_the_middle_is_kept():
    """Left half black, right half white, a white middle stripe: the crop sees the stripe's neighbourhood."""
    image = torch.zeros(3, 20, 60, dtype=torch.uint8)
    image[:, :, 25:35] = 255
    fitted = Preprocess.to_crop(crop=(10, 10), resize=20).fit(image)
    assert (fitted == 255).all()
    assert (
        Preprocess.to_crop(crop=(20, 20), resize=20).fit(image)[0, 0]
        == torch.tensor([0] * 5 + [255] * 10 + [0] * 5)
    ).all()


def test_a_line_of_pixels_takes_no_more_memory_than_it_must(monkeypatch):
    """Resizing 1 x 100,000 to a shorter side of 32 would make 100 million values to keep a thousand of."""
    resize, seen = fitting.resize, []

    def watched(image, *arguments):
        seen.append(tuple(image.shape))
        return resize(image, *arguments)

    monkeypatch.setattr(fitting, "resize", watched)
    image = torch.zeros(3, 1, 100_000, dtype=torch.uint8)
    image[:, :, 50_000 - 8 : 50_000 + 8] = 200
    fitted = Preprocess.to_crop(crop=(4, 4), resize=4).fit(image)
    assert seen == [(3, 1, 16)]
    assert (fitted == 200).all()
