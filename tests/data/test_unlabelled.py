"""`data check` reads what has no classes, as pre-training does, and names what would spoil it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swinkit.cli.main import main
from swinkit.data.channels import Channels
from swinkit.data.check import find_splits, make_report
from swinkit.data.scan import scan
from swinkit.errors import DataError

from .layouts import zipped
from .tiffs import write_tiff

RANDOM = np.random.default_rng(0)
FOUR = Channels((0.5,) * 4, (0.25,) * 4)
ONE = Channels((0.5,), (0.25,))


def save_arrays(root: Path, shape: tuple[int, ...], count: int = 3) -> Path:
    for split in ("train", "val"):
        (root / split).mkdir(parents=True)
        for i in range(count):
            np.save(root / split / f"{i}.npy", RANDOM.random(shape, np.float32))
    return root


def checked(path: Path, channels: Channels | None = None):
    splits, problems = find_splits(path, channels)
    return make_report(path, splits, [reading for each in splits for reading in scan(each)], problems)


@pytest.mark.parametrize("place", [lambda root: root, zipped], ids=["folder", "zip"])
def test_sound_arrays_are_counted_and_measured(tmp_path, place):
    report = checked(place(save_arrays(tmp_path / "set", (6, 7, 4))))
    assert (report.layout, report.evidence) == ("arrays of 2 axes, channels: 4", "train/0.npy")
    assert report.problems == ()
    assert report.to_json()["splits"]["val"] == {
        "pictures": 3,
        "classes": {},
        "sizes": {"height": [6, 6, 6], "width": [7, 7, 7], "ratio": [7 / 6] * 3},
        "shorter_sides": {"4 to 7": 3},
        "shapes": {"1:1 to 4:3": 3},
        "modes": {"float32 x 4": 3},
        "turned": 0,
    }


def test_what_would_spoil_a_training_is_named_before_it(tmp_path):
    """One of each in a held-out split; a constant array and one that is there twice are notes."""
    root = save_arrays(tmp_path, (6, 7, 4))
    bad = {
        "nan": np.full((6, 7, 4), np.nan, np.float32),
        "fill": np.full((6, 7, 4), -3.4e38, np.float32),
        "object": np.array([{}], object),
        "complex": np.zeros((6, 7, 4), np.complex64),
        "void": np.zeros((0, 7, 4), np.float32),
        "three": np.zeros((6, 7, 3), np.float32),
    }
    for name, array in bad.items():
        np.save(root / "val" / f"{name}.npy", array, allow_pickle=name == "object")
    np.save(root / "train" / "flat.npy", np.full((6, 7, 4), 0.5, np.float32))
    report = checked(root, FOUR)
    corrupt, constant = report.problems
    assert (corrupt.kind, corrupt.blocking, constant.kind, constant.blocking) == (
        "corrupt",
        True,
        "constant",
        False,
    )
    assert constant.groups == (("train/flat.npy",),)
    told = {group[0].partition(".npy: ")[0].removeprefix("val/"): group[0] for group in corrupt.groups}
    assert set(told) == set(bad)
    assert "holds 168 NaN of 168 numbers, the first in channel 0 at (0, 0)" in told["nan"]
    assert "holds -3.4e+38 in channel 0, more than 65504 times data.std=0.25" in told["fill"]
    assert "holds an array of shape (6, 7, 3); 2 axes and 4 channels" in told["three"]
    assert "holds complex64; numbers must be" in told["complex"]
    assert "fill" not in str(checked(root).problems[0].groups)  # whose unit nobody has said


def test_volumes_of_one_channel_are_told_by_the_number_of_channels(tmp_path):
    root = save_arrays(tmp_path, (5, 6, 7))
    assert checked(root, ONE).layout == "arrays of 3 axes, channels: 1"
    assert checked(root, ONE).to_json()["splits"]["train"]["sizes"]["height"] == [6, 6, 6]


def test_bands_and_grey_pictures_without_classes_are_checked(tmp_path):
    for i in range(2):
        samples = RANDOM.integers(0, 65536, (6, 7, 4)).astype(np.uint16)
        (tmp_path / f"{i}.tif").write_bytes(write_tiff(samples, extras=(0,) * 3))
    Image.new("L", (7, 6)).save(tmp_path / "grey.png")
    report = checked(tmp_path, FOUR)
    assert report.modes == {"all": {"float32 x 4": 2}}
    assert [problem.groups for problem in report.problems] == [
        (("grey.png: channels: 1 are stored, 4 expected, as many as data.mean has numbers",),)
    ]


def test_an_array_of_other_axes_than_a_picture_or_clip_is_told(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5, np.float32))
    with pytest.raises(DataError, match=r"holds an array of shape \(5,\); pictures are \(height"):
        find_splits(tmp_path)


def test_the_command_names_the_file_and_draws_arrays(tmp_path, capsys):
    root = save_arrays(tmp_path / "set", (6, 7, 4))
    np.save(root / "val" / "bad.npy", np.full((6, 7, 4), np.inf, np.float32))
    np.save(root / "val" / "again.npy", np.load(root / "train" / "0.npy"))
    words = ["data", "check", str(root), "--workers", "0", "--html", str(tmp_path / "page.html")]
    assert main([*words, "data.mean=[0.5,0.5,0.5,0.5]", "data.std=[1,1,1,1]"]) == 3
    out = capsys.readouterr().out
    assert "val/bad.npy: holds 168 infinite of 168 numbers" in out
    assert "pictures of train are also in other splits (1 of val)" in out
    assert "data:image/jpeg;base64," in (tmp_path / "page.html").read_text()
    assert main([*words, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["layout"] == "arrays of 2 axes, channels: 4"


@pytest.mark.parametrize(
    "words", [["data.mean=[1]"], ["data.mean=[1,1]", "data.std=[1]"], ["data.mean=[1]", "data.std=[0]"]]
)
def test_mean_without_spread_is_one_line(tmp_path, words, capsys):
    assert main(["data", "check", str(tmp_path), *words]) == 2
    assert "both must be given, with as many numbers" in capsys.readouterr().err
